"""The request lines that were sent last, once more, as they were or with a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from geminate.errors import InputError
from geminate.formats.atomic import open_atomic
from geminate.formats.line_files import iter_path_pieces
from geminate.pipeline.building.checked_lines import first_violation
from geminate.pipeline.collect import ShardJoin
from geminate.stages.checks import CheckOptions, RequestChecker
from geminate.wire.changes import Changes, change_line
from geminate.wire.lines import LineBlock
from geminate.wire.outcomes import Outcome


class _Keyed(msgspec.Struct):
    key: str


class RetriedLines:
    """The request lines of one shard's next attempt.

    Args:
        shard: The shard.
        wanted: The outcomes of the prompts that get another try, by key as it travels.
        changes: What may be asked otherwise, where it may help.
        max_tokens: How many tokens an answer of the model has at most.

    Attributes:
        changed: How many lines differ from what was sent last, by outcome.
        left: Prompts that got no line after all, by outcome.
    """

    def __init__(self, shard: ShardJoin, wanted: dict[str, Outcome], changes: Changes, max_tokens: int) -> None:
        self._shard = shard
        self._wanted = wanted
        self._changes = {outcome: changes.suited_to(outcome) for outcome in set(wanted.values())}
        self._max_tokens = max_tokens
        self._checks = CheckOptions(import_rules=not shard.collector.manifest.for_table, file_limits=False)
        self.changed: Counter[str] = Counter()
        self.left: Counter[str] = Counter()

    def write(self, path: Path) -> int:
        """How many lines were written; they break no rule.

        Raises:
            InputError: A changed one would, and nothing is written.
        """
        sent = self._write(path, lambda _: True)
        violation = first_violation(path.name, iter_path_pieces(path), self._checks)
        if violation is not None and violation.rule.startswith("import."):
            # A line may be sound only beside others, which have their answers now.
            sent = self._write(path, self._is_sound_alone)
            violation = first_violation(path.name, iter_path_pieces(path), self._checks)
        if violation is not None:
            path.unlink()
            remedy = "ask for another change, or retry without it"
            where = f"the retried request of key {violation.key!r}, {violation.path}"
            raise InputError(f"{violation.message} ({violation.rule})", where=where, remedy=remedy)
        return sent

    def _write(self, path: Path, keep: Callable[[bytes], bool]) -> int:
        self.changed, self.left, sent = Counter(), Counter(), 0
        with open_atomic(path, overwrite=True) as file:
            for key, line in self._iter_last_sent():
                outcome = self._wanted[key]
                changed = self._change(line, outcome)
                if changed is None or not keep(changed):
                    self.left[outcome.value] += 1
                    continue
                self.changed[outcome.value] += changed != line
                file.write(changed + b"\n")
                sent += 1
        self.changed = +self.changed
        return sent

    def _change(self, line: bytes, outcome: Outcome) -> bytes | None:
        """The line to send, None where only a change could help and there is none to make."""
        changes = self._changes[outcome]
        changed = change_line(line, changes, self._max_tokens) if changes.named() else line
        return None if outcome is Outcome.TRUNCATED and changed == line else changed

    def _is_sound_alone(self, line: bytes) -> bool:
        checker = RequestChecker(self._checks)
        return not checker.feed(LineBlock(line + b"\n"), "") and not checker.finish()

    def _iter_last_sent(self) -> Iterator[tuple[str, bytes]]:
        """Each wanted key with the line that was sent for it last, in the order of the prompts."""
        lines = self._shard.collector.lines
        # One that was abandoned was never sent, but where it is the first there is nothing else.
        sent = [each for each in self._shard.attempts if each.job_name or each.number == 1]
        first, *later = (iter_keyed_lines(lines.iter_blocks(each)) for each in sent)
        # Every attempt has some of the prompts of the first, in the same order.
        heads = [next(lines, None) for lines in later]
        for key, line in first:
            last = line
            for at, head in enumerate(heads):
                if head is not None and head[0] == key:
                    last, heads[at] = head[1], next(later[at], None)
            if key in self._wanted:
                yield key, last


def iter_keyed_lines(blocks: Iterator[LineBlock]) -> Iterator[tuple[str, bytes]]:
    """Request lines of ours, each with its key as it travels."""
    for block in blocks:
        for line in block.lines:
            yield msgspec.json.decode(line, type=_Keyed).key, line
