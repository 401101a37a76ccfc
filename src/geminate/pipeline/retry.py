"""Retry: a new attempt of just those prompts that did not succeed and may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pyarrow.compute as pc

from geminate.formats.atomic import open_atomic
from geminate.formats.line_files import find_line_files
from geminate.ledger import Attempt
from geminate.pipeline.collect import Collector, ShardJoin
from geminate.pipeline.folder import RETRY_FILES_FACT, hash_file
from geminate.pipeline.outputs import drop
from geminate.stages.keys import KeyColumn
from geminate.stages.report import JoinReport
from geminate.wire.keys import encode_keys
from geminate.wire.lines import iter_line_blocks


@dataclass(frozen=True, slots=True)
class Planned:
    """What a retry planned, and what it left alone.

    Attributes:
        attempts: The new attempts.
        rows: How many prompts they hold.
        exhausted: Prompts that might succeed but have had every attempt they may have.
    """

    attempts: list[Attempt]
    rows: int
    exhausted: int


class _Keyed(msgspec.Struct):
    key: str


def plan_retry(collector: Collector, max_attempts: int) -> Planned:
    """The new attempts, durable and not yet submitted: one for each shard that has prompts worth another try.

    Which they are says ``retryable`` of the joined rows. Memory is that of one shard's join.

    Raises:
        UsageError: Jobs are still running, or were never made.
    """
    collector.folder.sweep()
    attempts: list[Attempt] = []
    files = dict(collector.ledger.facts().get(RETRY_FILES_FACT, {}))
    rows = exhausted = 0
    for shard in collector.shard_joins():
        keys = _retryable_keys(shard)
        number = len(shard.attempts) + 1
        if not keys:
            continue
        if number > max_attempts:
            exhausted += len(keys)
            continue
        path = collector.folder.requests_path(shard.record.name, number)
        with open_atomic(path, overwrite=True) as file:
            file.writelines(_iter_lines(shard, keys))
        files[path.name] = hash_file(path)
        attempt_id = f"{collector.manifest.run_id}-{shard.record.name}-{number}"
        attempts.append(Attempt(attempt_id, shard.record.name, number, "planned"))
        rows += len(keys)
    collector.ledger.settle(RETRY_FILES_FACT, files)
    collector.ledger.add_attempts(attempts)
    return Planned(attempts, rows, exhausted)


def _retryable_keys(shard: ShardJoin) -> set[str]:
    """The keys, as they travel, of the shard's prompts that are worth another try."""
    manifest, prefix = shard.collector.manifest, shard.options.prefix
    key = KeyColumn(manifest.key, generated=False)
    keys: set[str] = set()
    for rows in shard.iter_rows(drop, JoinReport()):
        worth = pc.fill_null(rows.column(f"{prefix}retryable"), False)
        keys.update(encode_keys(key.texts(rows)).filter(worth).to_pylist())
    return keys


def _iter_lines(shard: ShardJoin, keys: set[str]) -> Iterator[bytes]:
    path = shard.collector.folder.requests_path(shard.record.name)
    for file in find_line_files([str(path)], lambda: shard.collector.store):
        for block in iter_line_blocks(file.iter_pieces()):
            for line in block.lines:
                if msgspec.json.decode(line, type=_Keyed).key in keys:
                    yield line + b"\n"
