"""The side files of an output: lines that found no prompt, that cannot be read, or that two prompts claim."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from geminate.formats.atomic import AtomicFiles, check_path
from geminate.stages.strays import Stray

SUFFIXES = {"orphan": ".orphans.jsonl", "unreadable": ".unreadable.jsonl", "suspect": ".suspects.jsonl"}


class StrayFiles:
    """Writes strays beside an output as they come; a file appears only if it has a line, and only with the output.

    Args:
        files: What the output appears with.
        out: The output.
        overwrite: Whether files of an earlier output are replaced.

    Raises:
        TargetError: Such a file exists.
    """

    def __init__(self, files: AtomicFiles, out: Path, *, overwrite: bool) -> None:
        self._files = files
        self._out = out
        self._overwrite = overwrite
        self._open: dict[str, BinaryIO] = {}
        for kind in SUFFIXES:
            check_path(self.path(kind), overwrite=overwrite)

    def remove_stale(self) -> None:
        """Nothing; files of an earlier output that this one has none to replace with are gone."""
        if self._overwrite:
            for name in set(SUFFIXES) - set(self._open):
                self.path(name).unlink(missing_ok=True)

    def path(self, kind: str) -> Path:
        """Where the strays of a kind are written."""
        return self._out.with_name(self._out.name + SUFFIXES[kind])

    def write(self, stray: Stray) -> None:
        """Nothing; the stray is in its file."""
        if stray.kind not in self._open:
            self._open[stray.kind] = self._files.open(self.path(stray.kind), overwrite=self._overwrite)
        self._open[stray.kind].write(stray.encode() + b"\n")
