"""What a retry was asked for, and what it planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from geminate.errors import UsageError
from geminate.ledger import Attempt, Ledger
from geminate.pipeline.collect import ShardJoin
from geminate.pipeline.run_folder.folder import RETRY_CHANGES_FACT, RETRY_FILES_FACT, RunFolder, hash_file
from geminate.wire.changes import Changes
from geminate.wire.outcomes import Outcome


class NotOk(NamedTuple):
    """A prompt that did not succeed: its key as it travels, its outcome, and whether the same request may yet."""

    key: str
    outcome: Outcome
    retryable: bool


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """What a retry may do.

    Attributes:
        max_attempts: How often a prompt is tried in all.
        changes: What requests ask otherwise than before.
        by_service: Whether the service goes on by itself, with a job over a former job's output.

    Raises:
        UsageError: The service asks what was asked before, and changes nothing.
    """

    max_attempts: int = 3
    changes: Changes = field(default_factory=Changes)
    by_service: bool = False

    def __post_init__(self) -> None:
        if self.by_service and self.changes.named():
            raise UsageError(
                "the service goes on with the requests as they are", remedy="retry by the service, or with a change"
            )

    def may_help(self, prompt: NotOk) -> bool:
        """Whether another try may help the prompt, as it is or with a change."""
        return prompt.retryable or bool(self.changes.suited_to(prompt.outcome).named())


@dataclass(slots=True)
class Planned:
    """What a retry planned, and what it left alone.

    Attributes:
        attempts: The new attempts.
        rows: How many prompts they hold.
        exhausted: Prompts that might succeed but have had every attempt they may have.
        changed: How many of the prompts are asked otherwise than before, by outcome.
        left: Prompts that are not ok and get no other try, by outcome; none whose request another prompt shares.
        unlisted: By the service: those of the prompts that the former output has no line for.
        refused: By the service: why it cannot go on with a shard, by the shard's name.
        facts: What the ledger is to be told together with the attempts; None where it knows them already.
    """

    attempts: list[Attempt] = field(default_factory=list)
    rows: int = 0
    exhausted: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    unlisted: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] | None = None

    @classmethod
    def begin(cls, facts: dict[str, Any]) -> Planned:
        """A plan of nothing yet, beside what the ledger knows of earlier ones."""
        return cls(facts={name: dict(facts.get(name, {})) for name in (RETRY_FILES_FACT, RETRY_CHANGES_FACT)})

    @property
    def is_new(self) -> bool:
        """Whether the attempts are not yet part of the run."""
        return self.facts is not None

    def add(self, shard: ShardJoin, rows: int, *, input_uri: str = "", resumes: str = "") -> Attempt:
        """The shard's next attempt, planned; its request lines lie in the run's folder."""
        name, number = shard.record.name, shard.next_number
        attempt_id = f"{shard.collector.manifest.run_id}-{name}-{number}"
        attempt = Attempt(attempt_id, name, number, "planned", input_uri=input_uri, resumes=resumes)
        self._known(RETRY_FILES_FACT)[shard.next_path.name] = hash_file(shard.next_path)
        self.attempts.append(attempt)
        self.rows += rows
        return attempt

    def note_changes(self, attempt: Attempt, changes: Changes, changed: Counter[str]) -> None:
        """Nothing; what the attempt asks otherwise, and of how many prompts, is part of the plan."""
        if changed:
            record = {"changes": changes.named(), "prompts": dict(changed)}
            self._known(RETRY_CHANGES_FACT)[attempt.attempt_id] = record
            self.changed.update(changed)

    def leave(self, prompts: Iterable[NotOk]) -> None:
        """Nothing; these get no other try."""
        self.left.update(one.outcome.value for one in prompts)

    def is_exhausted(self, shard: ShardJoin, prompts: int, options: RetryOptions) -> bool:
        """Whether so many prompts of the shard have had every attempt they may have; they are counted then."""
        if sum(bool(attempt.job_name) for attempt in shard.attempts) < options.max_attempts:
            return False
        self.exhausted += prompts
        return True

    def check(self, where: str) -> None:
        """Nothing, where there is something for the service to go on with, or nothing was asked of it.

        Raises:
            UsageError: It can go on with no shard.
        """
        if self.refused and not self.attempts:
            shard, why = next(iter(self.refused.items()))
            raise UsageError(
                f"the service cannot go on by itself: {why}",
                where=f"{where}, shard {shard}",
                remedy="retry without --by-service",
            )

    def keep(self, ledger: Ledger) -> None:
        """Nothing; the attempts are part of the run, not yet submitted."""
        if self.facts is not None and self.attempts:
            ledger.add_attempts(self.attempts, self.facts)

    def drop(self, folder: RunFolder) -> None:
        """Nothing; unless the ledger knows the attempts already, their lines are gone."""
        for attempt in self.attempts if self.is_new else []:
            folder.requests_path(attempt.shard, attempt.number).unlink(missing_ok=True)

    def _known(self, fact: str) -> dict[str, Any]:
        return {} if self.facts is None else self.facts[fact]
