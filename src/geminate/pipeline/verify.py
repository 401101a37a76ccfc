"""Verify: what a run wrote is still what it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from geminate.connect import open_store
from geminate.errors import GeminateError, TransientError
from geminate.formats.atomic import HIDDEN_PREFIX
from geminate.ledger import LEDGER_NAME, Ledger
from geminate.locks import LOCK_NAME
from geminate.pipeline.run_folder.folder import (
    EMULATOR_NAME,
    MANIFEST_FACT,
    MANIFEST_NAME,
    RETRY_FILES_FACT,
    RunFolder,
    ShardRecord,
    hash_file,
)
from geminate.pipeline.submitting.target import read_target


@dataclass(frozen=True, slots=True)
class Damage:
    """One file or object that is not as it was written, and in which way."""

    file: str
    message: str


def iter_damages(folder: RunFolder) -> Iterator[Damage]:
    """Every file of the run's folder that is missing, changed or foreign, in the order of their names.

    Reads each file whole, a piece at a time. The ledger, which changes, is looked through instead. Of a shard that lies
    in a bucket alone, the store is asked for its generation and checksum.

    Raises:
        AccessError: The store refuses access.
        InputError: The folder is no run, or its manifest cannot be read.
        TransientError: The store did not answer, or another process works on the run.
    """
    manifest = folder.read_manifest()
    facts, damages = _look_through(folder)
    expected = {record.name: record.sha256 for record in manifest.files} | facts.get(RETRY_FILES_FACT, {})
    if MANIFEST_FACT in facts:
        expected[MANIFEST_NAME] = facts[MANIFEST_FACT]
    present = {path.name: path.is_file() for path in folder.path.iterdir() if path.name not in _OWN}
    for name in sorted(set(present) | set(expected)):
        if name not in expected:
            # Without its ledger nobody can say which further attempts a run has.
            if MANIFEST_FACT in facts:
                damages.append(Damage(name, _UNFINISHED if name.startswith(HIDDEN_PREFIX) else _FOREIGN))
        elif not present.get(name):
            damages.append(Damage(name, _MISSING))
        elif hash_file(folder.path / name) != expected[name]:
            damages.append(Damage(name, _CHANGED))
    yield from sorted(damages, key=lambda damage: damage.file)
    shards = {shard.name: shard for shard in manifest.shards if folder.requests_path(shard.name).name not in expected}
    if shards and facts:
        yield from _iter_object_damages(folder, shards)


def _iter_object_damages(folder: RunFolder, shards: dict[str, ShardRecord]) -> Iterator[Damage]:
    """The objects of these shards that are not what was uploaded; those that were not yet are none."""
    with Ledger(folder.path, lock=False) as ledger:
        attempts = [
            one for one in ledger.attempts() if one.number == 1 and one.input_generation and one.shard in shards
        ]
        if not attempts:
            return
        store = open_store(read_target(ledger, None).where, folder.emulator_path)
    for attempt in attempts:
        info, record = store.stat(attempt.input_uri), shards[attempt.shard]
        if info is None:
            yield Damage(attempt.input_uri, _GONE)
            continue
        uploaded = (attempt.input_generation, record.size_bytes, info.crc32c and record.crc32c)
        if (info.generation, info.size, info.crc32c) != uploaded:
            yield Damage(attempt.input_uri, _REPLACED)


_OWN = frozenset({LEDGER_NAME, f"{LEDGER_NAME}-journal", LOCK_NAME, f"{LOCK_NAME}-journal", EMULATOR_NAME})
_MISSING = "it is missing; restore it, or build the run again"
_CHANGED = "its bytes changed since it was written; restore it, or build the run again"
_GONE = "it is gone; where its request lines are needed, they are made again from the prompts"
_REPLACED = "it is not the object that was uploaded"
_FOREIGN = "the run did not write it; move it elsewhere"
_UNFINISHED = "a command is writing it, or was killed at it; the next geminate retry removes what is left"


def _look_through(folder: RunFolder) -> tuple[dict[str, Any], list[Damage]]:
    """The ledger's facts, as far as it can be read, and what is wrong with it."""
    facts: dict[str, Any] = {}
    try:
        with Ledger(folder.path, lock=False) as ledger:
            facts = ledger.facts()
            faults = list(ledger.iter_faults())
    except TransientError:
        raise
    except GeminateError as error:
        faults = [error.what]
    except ValueError as error:
        faults = [f"it holds what is not JSON ({error})"]
    return facts, [Damage(LEDGER_NAME, f"{fault}; restore it from a copy of the run") for fault in faults]
