"""What a file's name says about what is in it."""

from __future__ import annotations

from pathlib import PurePath

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "arrow")
"""The formats of prompts; each is also its files' suffix."""

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
"""Suffixes that may follow a format's, and the name Arrow knows each by."""


def split_suffixes(name: str) -> tuple[str, str | None]:
    """The format, which is empty where the name has no suffix, and the compression, None where it has none."""
    path = PurePath(name.lower())
    compression = COMPRESSIONS.get(path.suffix)
    if compression:
        path = path.with_suffix("")
    return path.suffix.removeprefix("."), compression
