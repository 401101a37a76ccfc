"""An emulator in a process of its own, so that what it takes is not the client's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from macro.works import GEMINATE


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[str]:
    """Its URL; all that the folder holds is gone afterwards."""
    command = [GEMINATE, "emulate", "--dir", str(folder), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            first = server.stderr.readline()
            yield next(word for word in first.split() if word.startswith("http://"))
        finally:
            server.terminate()
            server.communicate()
            subprocess.run(["rm", "-rf", str(folder)], check=True)
