"""What a join counted, and whether the counts add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from geminate.wire.tables import REPAIR_COLUMN


@dataclass(slots=True)
class JoinReport:
    """The counts of one join; complete once the last joined row is out.

    Attributes:
        prompts: How many prompts there were; predictions read alone count as their own prompts.
        lines: How many prediction lines there were, blank ones left out.
        used: How many of them made a joined row.
        duplicates: Further lines for a prompt that has its row from another.
        repeats: Lines of a job that went on from a former one's output, which say again what that one had answered.
        orphans: Lines that belong to no prompt.
        unreadable: Lines that are no predictions.
        suspects: Lines, used or not, whose key and request belong to different prompts.
        outcomes: Prompts by outcome.
        tokens: Sums over the used lines, by column.
        duplicate_tokens: The same over the duplicates.
        fanned_out: Prompts that share the prediction of another's equal request.
        repairs: Valid answers of the used lines that were not JSON as they stood, by what made them so.
    """

    prompts: int = 0
    lines: int = 0
    used: int = 0
    duplicates: int = 0
    repeats: int = 0
    orphans: int = 0
    unreadable: int = 0
    suspects: int = 0
    fanned_out: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    duplicate_tokens: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)

    def count_outcomes(self, outcomes: pa.StringArray) -> None:
        """Nothing; counts the outcomes of some joined rows."""
        for entry in pc.value_counts(outcomes).to_pylist():
            self.outcomes[entry["values"]] += entry["counts"]

    def count_repairs(self, used: pa.RecordBatch) -> None:
        """Nothing; counts the repairs of some used predictions, where answers were judged at all."""
        if REPAIR_COLUMN in used.schema.names:
            for entry in pc.value_counts(used.column(REPAIR_COLUMN).drop_null()).to_pylist():
                self.repairs[entry["values"]] += entry["counts"]

    def imbalances(self) -> list[str]:
        """The equations that do not hold, as sentences; none once every prompt and every line is accounted for."""
        by_outcome = sum(self.outcomes.values())
        by_fate = self.used + self.duplicates + self.repeats + self.orphans + self.unreadable
        equations = (
            (self.prompts, by_outcome, f"{self.prompts} prompts, but outcomes for {by_outcome}"),
            (
                self.lines,
                by_fate,
                f"{self.lines} prediction lines, but {by_fate} used, duplicate, repeated, orphan or unreadable",
            ),
        )
        return [sentence for left, right, sentence in equations if left != right]
