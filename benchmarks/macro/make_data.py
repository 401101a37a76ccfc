"""Writes the benchmarks' data, the same bytes for the same scale: ``python make_data.py FOLDER [--scale 0.1]``.

At scale 1: prompt sets of 1,000,000 x 0.45 kB, 100,000 x 1.9 kB, 10,000 x 30 kB and 200,000 x 2 kB, and prediction
files of 1.2, 3.6 and 37 kB a line, at least 1 GB each, with their prompts. It takes about half a minute and 5 GB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from macro.prediction_files import Sizes, write_prediction_file
from macro.prompt_sets import write_prompt_set

PROMPT_SETS = {
    "build-0.45kB": (1_000_000, 450),
    "build-1.9kB": (100_000, 1_900),
    "build-30kB": (10_000, 30_000),
    "tables-2kB": (200_000, 2_000),
}
PREDICTION_FILES = {
    "join-1.2kB": (900_000, Sizes(190, 80)),
    "join-3.6kB": (300_000, Sizes(1_430, 1_270)),
    "join-37kB": (29_000, Sizes(29_700, 6_000)),
}


def make(folder: Path, scale: float, names: list[str]) -> dict[str, dict]:
    """Makes what is not there yet, each in a folder of its own, and returns its facts by name."""
    facts = {}
    for name in names or [*PROMPT_SETS, *PREDICTION_FILES]:
        target = folder / f"{name}-x{scale:g}"
        if not (target / "facts.json").exists():
            rows, sizes = (PROMPT_SETS | PREDICTION_FILES)[name]
            rows = max(1, round(rows * scale))
            write = write_prediction_file if name in PREDICTION_FILES else write_prompt_set
            write(target, rows, sizes)
            (target / "facts.json").write_text(json.dumps(_facts(target, name, rows)))
        facts[name] = json.loads((target / "facts.json").read_text()) | {"folder": str(target)}
    return facts


def _facts(target: Path, name: str, rows: int) -> dict:
    sizes = {path.name: path.stat().st_size for path in sorted(target.iterdir())}
    return {"name": name, "rows": rows, "file_bytes": sizes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "geminate-bench")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--name", action="append", default=[], choices=[*PROMPT_SETS, *PREDICTION_FILES])
    options = parser.parse_args()
    json.dump(make(options.folder, options.scale, options.name), sys.stdout)


if __name__ == "__main__":
    main()
