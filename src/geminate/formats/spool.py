"""Local copies of what cannot be read twice or from any place: objects, streams, compressed tables."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path

from geminate.errors import room_left


class Spool:
    """A temporary folder that is made when first needed and goes when this object does."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._count = 0

    def path(self, name: str) -> Path:
        """A new path for a file to be written."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="geminate-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._count += 1
        return self._folder / f"{self._count}-{name[-100:]}"

    def keep(self, name: str, pieces: Iterable[bytes]) -> Path:
        """The path of a new file of these bytes.

        Raises:
            TransientError: The temporary folder is full.
        """
        path = self.path(name)
        with room_left(str(path.parent), "set TMPDIR to a larger folder"), path.open("wb") as file:
            file.writelines(pieces)
        return path
