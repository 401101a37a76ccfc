"""The careful per-row loop that the build peers share: ``PROMPTS.parquet SPEC.json OUT [--rows N]``.

It streams the prompts, fills the slots, validates each request with Geminate's own request schema, sees to it that no
key comes twice, and writes shards of at most 200,000 lines and 1 GB. It does without the import rules, the hashes, the
manifest and the copy of the prompts that ``geminate build`` makes as well.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

MAX_SHARD_ROWS = 200_000
MAX_SHARD_BYTES = 1_000_000_000
SCHEMA_PATH = Path(__file__).parents[2] / "schemas" / "request.schema.json"

Render = Callable[[dict], str]

_SLOT = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def compile_slots(template: str) -> Render:
    """A function from a row to the text with its plain slots filled."""
    pieces = _SLOT.split(template)
    names = pieces[1::2]
    if not names:
        return lambda _: template

    def render(row: dict) -> str:
        filled = pieces.copy()
        filled[1::2] = [str(row[name]) for name in names]
        return "".join(filled)

    return render


def run(
    encode: Callable[[Any], bytes],
    is_valid: Callable[[Any], bool],
    compile_text: Callable[[str], Render] = compile_slots,
) -> None:
    parser = argparse.ArgumentParser()
    for name in ("prompts", "spec", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rows", type=int, default=None, help="stop after so many")
    options = parser.parse_args()
    request = json.loads(options.spec.read_text())["request"]
    fill = _compile_request(request, compile_text)
    options.out.mkdir()
    seen: set[str] = set()
    with Shards(options.out) as shards, (options.out / "rejected.jsonl").open("wb") as rejected:
        for row in _iter_rows(options.prompts, options.rows):
            key, filled = row["key"], fill(row)
            good = key not in seen and None not in row.values() and is_valid(filled)
            seen.add(key)
            (shards if good else rejected).write(encode({"key": key, "request": filled}) + b"\n")


class Shards:
    """Request lines into numbered files, each visible when it is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number, self._file = folder, -1, None
        self._rows = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def write(self, line: bytes) -> None:
        if self._file is None or self._rows == MAX_SHARD_ROWS or self._bytes + len(line) > MAX_SHARD_BYTES:
            self._finish()
            self._number += 1
            self._file = (self._folder / f".requests-{self._number:05d}.jsonl").open("wb", buffering=1 << 20)
            self._rows = self._bytes = 0
        self._file.write(line)
        self._rows += 1
        self._bytes += len(line)

    def _finish(self) -> None:
        if self._file is not None:
            self._file.close()
            path = Path(self._file.name)
            path.rename(path.with_name(path.name.removeprefix(".")))


def _iter_rows(path: Path, limit: int | None) -> Iterator[dict]:
    left = limit
    for batch in pq.ParquetFile(path).iter_batches(batch_size=2_000):
        rows = batch.to_pylist()
        yield from rows if left is None else rows[:left]
        if left is not None:
            left -= min(left, len(rows))
            if not left:
                return


def _compile_request(value: Any, compile_text: Callable[[str], Render]) -> Callable[[dict], Any]:
    """The spec's request as a function from a row to a fresh request, walking only what has slots."""
    if isinstance(value, str) and "{" in value:
        return compile_text(value)
    if isinstance(value, dict):
        members = {name: _compile_request(member, compile_text) for name, member in value.items()}
        return lambda row: {name: fill(row) for name, fill in members.items()}
    if isinstance(value, list):
        elements = [_compile_request(element, compile_text) for element in value]
        return lambda row: [fill(row) for fill in elements]
    return lambda _: value
