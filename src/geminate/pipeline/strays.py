"""The side files of an output: lines that found no prompt, that cannot be read, or that two prompts claim."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from geminate.formats.atomic import check_path, open_atomic
from geminate.stages.strays import Stray

SUFFIXES = {"orphan": ".orphans.jsonl", "unreadable": ".unreadable.jsonl", "suspect": ".suspects.jsonl"}


class StrayFiles:
    """Writes strays beside an output as they come; a file appears only if it has a line, and only if all ends well.

    Args:
        out: The output.
        overwrite: Whether files of an earlier output are replaced.

    Raises:
        TargetError: Such a file exists.
    """

    def __init__(self, out: Path, *, overwrite: bool) -> None:
        self._out = out
        self._overwrite = overwrite
        self._open: dict[str, BinaryIO] = {}
        self._stack = ExitStack()
        for kind in SUFFIXES:
            check_path(self.path(kind), overwrite=overwrite)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is None and self._overwrite:
            for name in set(SUFFIXES) - set(self._open):
                self.path(name).unlink(missing_ok=True)

    def path(self, kind: str) -> Path:
        """Where the strays of a kind are written."""
        return self._out.with_name(self._out.name + SUFFIXES[kind])

    def write(self, stray: Stray) -> None:
        """Nothing; the stray is in its file."""
        if stray.kind not in self._open:
            opening = open_atomic(self.path(stray.kind), overwrite=self._overwrite)
            self._open[stray.kind] = self._stack.enter_context(opening)
        self._open[stray.kind].write(stray.encode() + b"\n")
