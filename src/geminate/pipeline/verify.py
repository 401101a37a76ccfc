"""Verify: what a run wrote is still what it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geminate.ledger import LEDGER_NAME, Ledger
from geminate.locks import LOCK_NAME
from geminate.pipeline.folder import EMULATOR_NAME, MANIFEST_FACT, MANIFEST_NAME, RETRY_FILES_FACT, RunFolder, hash_file


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that is not as it was written, and in which way."""

    file: str
    message: str


def iter_damages(folder: RunFolder) -> Iterator[Damage]:
    """Every file of the run's folder that is missing, changed or foreign, in the order of their names.

    Reads each file whole, a piece at a time.

    Raises:
        InputError: The folder is no run, or its manifest cannot be read.
    """
    manifest = folder.read_manifest()
    with Ledger(folder.path, lock=False) as ledger:
        facts = ledger.facts()
    expected = {MANIFEST_NAME: facts[MANIFEST_FACT], **facts.get(RETRY_FILES_FACT, {})}
    expected |= {record.name: record.sha256 for record in manifest.files}
    present = {path.name for path in folder.path.iterdir()}
    for name in sorted(present | set(expected)):
        if name in {LEDGER_NAME, LOCK_NAME, EMULATOR_NAME}:
            continue
        if name not in expected:
            yield Damage(name, "the run did not write it; move it elsewhere")
        elif name not in present:
            yield Damage(name, "it is missing; restore it, or build the run again")
        elif hash_file(folder.path / name) != expected[name]:
            yield Damage(name, "its bytes changed since it was written; restore it, or build the run again")
