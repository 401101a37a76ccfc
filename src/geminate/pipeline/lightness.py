"""Starting fast: what a process of ours can do without."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any


def spare_pandas() -> None:
    """Nothing; pyarrow will not load pandas in this process, and anybody else still may.

    At its first conversion pyarrow imports pandas wherever it is installed, only to tell whether a list is one of
    pandas' own, and that takes longer than many a command. It looks once, so it is enough to hide pandas that long.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    hiding = _NoPandas()
    sys.meta_path.insert(0, hiding)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(hiding)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError("hidden for a moment", name=fullname)
        return None
