"""What a run says in its ledger just before its output appears, so that after a crash its own files are known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from geminate.ledger import Ledger
from geminate.pipeline.written.outputs import Joined

_FACT = "finished"


class _Mark(msgspec.Struct, frozen=True):
    """What tells a file from another of its name; appearing under that name does not change it."""

    size_bytes: int
    modified_ns: int


class _Claim(msgspec.Struct, frozen=True):
    """The last output of a run: where, of which columns and how many attempts, its counts, its files."""

    out: str
    columns: str
    attempts: int
    joined: Joined
    files: dict[str, _Mark]


def make_claim(ledger: Ledger, columns: str, joined: Joined, files: Mapping[Path, os.stat_result]) -> None:
    """Nothing; it is durable that these files, which are about to appear, are this run's."""
    marks = {str(path.absolute()): _mark(status) for path, status in files.items()}
    claim = _Claim(str(Path(joined.out).absolute()), columns, len(ledger.attempts()), joined, marks)
    ledger.settle(_FACT, msgspec.to_builtins(claim))


def read_finished(ledger: Ledger, out: str, columns: str) -> Joined | None:
    """The counts of the output if this run wrote it with these columns, it is still there, and no attempt came after.

    With it are all its side files, since the output appears last.
    """
    claim = _read(ledger)
    path = str(Path(out).absolute())
    if claim is None or (claim.out, claim.columns, claim.attempts) != (path, columns, len(ledger.attempts())):
        return None
    return msgspec.structs.replace(claim.joined, out=out) if _is(path, claim.files[path]) else None


def sweep_claim(ledger: Ledger) -> None:
    """Nothing; side files of an output that did not come to appear are gone. Files that are not this run's stay."""
    claim = _read(ledger)
    if claim is not None and not os.path.lexists(claim.out):
        for name, mark in claim.files.items():
            if _is(name, mark):
                Path(name).unlink(missing_ok=True)


def _read(ledger: Ledger) -> _Claim | None:
    try:
        return msgspec.convert(ledger.facts().get(_FACT), _Claim | None)
    except msgspec.ValidationError:
        return None  # Written by an earlier Geminate, which did not know of marks.


def _mark(status: os.stat_result) -> _Mark:
    return _Mark(status.st_size, status.st_mtime_ns)


def _is(name: str, mark: _Mark) -> bool:
    try:
        return _mark(Path(name).stat()) == mark
    except OSError:
        return False
