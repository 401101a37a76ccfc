"""Retry: a new attempt of just those prompts that did not succeed and may, as they were or with a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow.compute as pc

from geminate.errors import InputError, UsageError, counted
from geminate.formats.atomic import open_atomic
from geminate.formats.line_files import iter_path_pieces
from geminate.ledger import SETTLED, Attempt
from geminate.pipeline.building.checked_lines import first_violation
from geminate.pipeline.collect import Collector, ShardJoin
from geminate.pipeline.run_folder.folder import RETRY_CHANGES_FACT, RETRY_FILES_FACT, hash_file
from geminate.pipeline.written.outputs import drop
from geminate.stages.checks import CheckOptions, RequestChecker
from geminate.stages.keys import KeyColumn
from geminate.stages.report import JoinReport
from geminate.wire.changes import Changes, change_line
from geminate.wire.keys import encode_keys
from geminate.wire.limits import KNOWN_MODELS, bare_model
from geminate.wire.lines import LineBlock
from geminate.wire.outcomes import Outcome
from geminate.wire.token_rates import output_rates


@dataclass(frozen=True, slots=True)
class Planned:
    """What a retry planned, and what it left alone.

    Attributes:
        attempts: The new attempts.
        rows: How many prompts they hold.
        exhausted: Prompts that might succeed but have had every attempt they may have.
        changed: How many of the prompts are asked otherwise than before, by outcome.
        left: Prompts that are not ok and get no other try, by outcome; none whose request another prompt shares.
    """

    attempts: list[Attempt] = field(default_factory=list)
    rows: int = 0
    exhausted: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


class _Keyed(msgspec.Struct):
    key: str


def plan_retry(collector: Collector, max_attempts: int, changes: Changes) -> Planned:
    """The new attempts, durable and not yet submitted: one for each shard that has prompts worth another try.

    Those of a retry that was interrupted are taken as they are. A prompt is asked what it was asked last, changed where
    ``changes`` may help with its outcome. Memory is that of one shard's join.

    Raises:
        InputError: A changed request breaks a rule, or the model cannot give so many tokens.
        UsageError: Jobs are still running, or were never made.
    """
    collector.folder.sweep()
    pending = [attempt for attempt in collector.ledger.attempts() if attempt.state not in SETTLED]
    if pending:
        return _resume(collector, pending, changes)
    _check_limit(collector.manifest.model, changes)
    return _plan_anew(collector, max_attempts, changes)


def _plan_anew(collector: Collector, max_attempts: int, changes: Changes) -> Planned:
    max_tokens = output_rates(collector.manifest.model).max_tokens
    facts, planned = collector.ledger.facts(), Planned()
    files, records = dict(facts.get(RETRY_FILES_FACT, {})), dict(facts.get(RETRY_CHANGES_FACT, {}))
    rows = exhausted = 0
    for shard in collector.shard_joins():
        if changes.named():
            _check_keys(shard)
        wanted = _wanted(shard, changes, planned.left)
        if not wanted:
            continue
        number = len(shard.attempts) + 1
        if sum(bool(attempt.job_name) for attempt in shard.attempts) >= max_attempts:
            exhausted += len(wanted)
            continue
        retry = _ShardRetry(shard, wanted, changes, max_tokens)
        path = collector.folder.requests_path(shard.record.name, number)
        sent = retry.write(path)
        planned.left.update(retry.left)
        if not sent:
            path.unlink(missing_ok=True)
            continue
        attempt_id = f"{collector.manifest.run_id}-{shard.record.name}-{number}"
        files[path.name] = hash_file(path)
        if retry.changed:
            records[attempt_id] = {"changes": changes.named(), "prompts": dict(retry.changed)}
        planned.changed.update(retry.changed)
        planned.attempts.append(Attempt(attempt_id, shard.record.name, number, "planned"))
        rows += sent
    collector.ledger.add_attempts(planned.attempts, {RETRY_FILES_FACT: files, RETRY_CHANGES_FACT: records})
    # To their shards, prompts that share a request are as if rejected.
    left = planned.left - Counter({Outcome.REJECTED.value: collector.manifest.prompts.followers})
    return Planned(planned.attempts, rows, exhausted, planned.changed, left)


def _resume(collector: Collector, pending: list[Attempt], changes: Changes) -> Planned:
    where = str(collector.folder.path)
    if any(attempt.number == 1 for attempt in pending):
        remedy = "run geminate submit and geminate wait first"
        raise UsageError(f"no job yet for {counted(len(pending), 'shard')}", where=where, remedy=remedy)
    if changes.named():
        remedy = "run geminate retry without a change, wait, and retry again"
        raise UsageError("an interrupted retry is to go on, and was planned otherwise", where=where, remedy=remedy)
    return Planned(pending, sum(len(block) for attempt in pending for block in collector.lines.iter_blocks(attempt)))


def _check_limit(model: str, changes: Changes) -> None:
    wanted, most = changes.max_output_tokens, output_rates(model).max_tokens
    if isinstance(wanted, int) and wanted > most and bare_model(model) in KNOWN_MODELS:
        raise InputError(f"{model} gives at most {most:,} output tokens, not {wanted:,}", remedy="ask for fewer")


def _check_keys(shard: ShardJoin) -> None:
    if not shard.has_keys():
        raise InputError(
            "the service did not give the keys back, so answers to changed requests would belong to nobody",
            where=f"shard {shard.record.name}",
            remedy="retry without a change",
        )


def _wanted(shard: ShardJoin, changes: Changes, left: Counter[str]) -> dict[str, Outcome]:
    """The outcomes, by key as it travels, of the prompts that may be worth another try; the others are counted."""
    manifest, prefix = shard.collector.manifest, shard.options.prefix
    key = KeyColumn(manifest.key, generated=False)
    wanted: dict[str, Outcome] = {}
    for rows in shard.iter_rows(drop, JoinReport()):
        not_ok = pc.indices_nonzero(pc.not_equal(rows.column(f"{prefix}outcome"), Outcome.OK.value))
        some = rows.select([manifest.key, f"{prefix}outcome", f"{prefix}retryable"]).take(not_ok)
        keys, outcomes = encode_keys(key.texts(some)).to_pylist(), some.column(1).to_pylist()
        for name, text, retryable in zip(keys, outcomes, some.column(2).to_pylist(), strict=True):
            outcome = Outcome(text)
            if retryable or changes.suited_to(outcome).named():
                wanted[name] = outcome
            else:
                left[text] += 1
    return wanted


class _ShardRetry:
    """The lines of one shard's next attempt."""

    def __init__(self, shard: ShardJoin, wanted: dict[str, Outcome], changes: Changes, max_tokens: int) -> None:
        self._shard = shard
        self._wanted = wanted
        self._changes = {outcome: changes.suited_to(outcome) for outcome in set(wanted.values())}
        self._max_tokens = max_tokens
        self._checks = CheckOptions(import_rules=not shard.collector.manifest.for_table, file_limits=False)
        self.changed: Counter[str] = Counter()
        self.left: Counter[str] = Counter()

    def write(self, path: Path) -> int:
        """How many lines were written; they break no rule."""
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
        first, *later = (_iter_keyed(lines.iter_blocks(each)) for each in sent)
        # Every attempt has some of the prompts of the first, in the same order.
        heads = [next(lines, None) for lines in later]
        for key, line in first:
            last = line
            for at, head in enumerate(heads):
                if head is not None and head[0] == key:
                    last, heads[at] = head[1], next(later[at], None)
            if key in self._wanted:
                yield key, last


def _iter_keyed(blocks: Iterator[LineBlock]) -> Iterator[tuple[str, bytes]]:
    for block in blocks:
        for line in block.lines:
            yield msgspec.json.decode(line, type=_Keyed).key, line
