"""Retry: a new attempt of just those prompts that did not succeed and may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import filterfalse

import pyarrow.compute as pc

from geminate.errors import InputError, UsageError, counted
from geminate.ledger import SETTLED, Attempt
from geminate.pipeline.collect import Collector, ShardJoin
from geminate.pipeline.retrying.by_service import plan_resumption
from geminate.pipeline.retrying.lines import RetriedLines
from geminate.pipeline.retrying.planned import NotOk, Planned, RetryOptions
from geminate.pipeline.written.outputs import drop
from geminate.stages.keys import KeyColumn
from geminate.stages.report import JoinReport
from geminate.wire.changes import Changes
from geminate.wire.keys import encode_keys
from geminate.wire.limits import KNOWN_MODELS, bare_model
from geminate.wire.outcomes import Outcome
from geminate.wire.token_rates import output_rates


def plan_retry(collector: Collector, options: RetryOptions) -> Planned:
    """The new attempts: one for each shard that has prompts worth another try; their lines lie in the run's folder.

    They become part of the run with ``Planned.keep``. Those of a retry that was interrupted are taken as they are. A
    prompt is asked what it was asked last, changed where the changes may help with its outcome. Memory is that of one
    shard's join.

    Raises:
        InputError: A changed request breaks a rule, or the model cannot give so many tokens.
        UsageError: Jobs are still running, or were never made; or the service can go on with none of the shards.
    """
    collector.folder.sweep()
    pending = [attempt for attempt in collector.ledger.attempts() if attempt.state not in SETTLED]
    if pending:
        return _go_on(collector, pending, options)
    _check_limit(collector.manifest.model, options.changes)
    planned = Planned.begin(collector.ledger.facts())
    plan_shard = plan_resumption if options.by_service else _plan_shard
    try:
        for shard in collector.shard_joins():
            not_ok = list(_iter_not_ok(shard))
            if any(map(options.may_help, not_ok)):
                plan_shard(shard, not_ok, options, planned)
            else:
                planned.leave(not_ok)
        planned.check(str(collector.folder.path))
    except BaseException:
        planned.drop(collector.folder)
        raise
    # To their shards, prompts that share a request are as if rejected.
    planned.left -= Counter({Outcome.REJECTED.value: collector.manifest.prompts.followers})
    return planned


def _plan_shard(shard: ShardJoin, not_ok: list[NotOk], options: RetryOptions, planned: Planned) -> None:
    if options.changes.named():
        _check_keys(shard)
    wanted = list(filter(options.may_help, not_ok))
    planned.leave(filterfalse(options.may_help, not_ok))
    if planned.is_exhausted(shard, len(wanted), options):
        return
    max_tokens = output_rates(shard.collector.manifest.model).max_tokens
    lines = RetriedLines(shard, {one.key: one.outcome for one in wanted}, options.changes, max_tokens)
    path = shard.next_path
    sent = lines.write(path)
    planned.left.update(lines.left)
    if not sent:
        path.unlink(missing_ok=True)
        return
    planned.note_changes(planned.add(shard, sent), options.changes, lines.changed)


def _go_on(collector: Collector, pending: list[Attempt], options: RetryOptions) -> Planned:
    where = str(collector.folder.path)
    if any(attempt.number == 1 for attempt in pending):
        remedy = "run geminate submit and geminate wait first"
        raise UsageError(f"no job yet for {counted(len(pending), 'shard')}", where=where, remedy=remedy)
    by_service = any(attempt.resumes for attempt in pending)
    if options.changes.named() or options.by_service != by_service:
        option = "with --by-service and" if by_service else ""
        remedy = f"run geminate retry {option} without a change, wait, and retry again".replace("  ", " ")
        raise UsageError("an interrupted retry is to go on, and was planned otherwise", where=where, remedy=remedy)
    rows = sum(len(block) for attempt in pending for block in collector.lines.iter_blocks(attempt))
    return Planned(pending, rows)


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


def _iter_not_ok(shard: ShardJoin) -> Iterator[NotOk]:
    """The prompts of the shard that are not ok, in their order."""
    name, prefix = shard.collector.manifest.key, shard.options.prefix
    key = KeyColumn(name, generated=False)
    for rows in shard.iter_rows(drop, JoinReport()):
        not_ok = pc.indices_nonzero(pc.not_equal(rows.column(f"{prefix}outcome"), Outcome.OK.value))
        some = rows.select([name, f"{prefix}outcome", f"{prefix}retryable"]).take(not_ok)
        keys, outcomes = encode_keys(key.texts(some)).to_pylist(), map(Outcome, some.column(1).to_pylist())
        yield from map(NotOk, keys, outcomes, some.column(2).to_pylist())
