"""Starting fast: what a process of ours can do without."""

from __future__ import annotations

import gc
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

# Decoded lines make many short-lived lists and no cycles, so that looking for cycles often is a tenth of the time.
_COLLECTOR_THRESHOLD = 100_000
_SWITCH_INTERVAL_S = 0.0005


def calm_collector() -> None:
    """Nothing; this process, which is ours alone, looks for reference cycles less often."""
    gc.set_threshold(_COLLECTOR_THRESHOLD)


def share_interpreter() -> None:
    """Nothing; threads of this process take turns ten times as often.

    Hashing, writing and Arrow let the interpreter go, and would wait five milliseconds to have it back for one call.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


def leave_cycles() -> None:
    """Nothing; what is left when the process ends is not looked through for cycles.

    Where DuckDB is loaded it is, since DuckDB tells the world of whatever it still finds.
    """
    if "duckdb" not in sys.modules:
        gc.freeze()


def spare_threads() -> None:
    """Nothing; numpy will not start a thread a core, which takes a third of its own start, for algebra nobody does."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


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
