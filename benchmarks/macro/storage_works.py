"""Moving shards to Cloud Storage and predictions back, on a server of this machine: the emulator's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from macro.served import serve
from macro.works import GEMINATE, OUT, SUBJECT, Command, Work, peer

BUCKET = "bench"
_PART_BYTES = 64 * 1024 * 1024
_SLOW_LINK = '{"storage": {"read": ["stall-for-0.25s; times=1000000"]}}'
"""Ranges of 8 MiB, four at once: with this pause before each, about as fast as a link of 1 Gbit/s."""


def iter_storage_works(facts: Iterable[dict], data: Path) -> Iterator[Work]:
    """The works; their server runs until the last of them is done.

    Args:
        facts: A prompt set to build, then the predictions.
        data: Where the server keeps its objects.
    """
    built, *joined = facts
    files = [Path(fact["folder"]) / "predictions.jsonl" for fact in joined]
    with _serve(data / "storage-server") as (url, parts):
        yield _build_work(built, url, parts.parent)
        rows = sum(_cut(file, parts, f"predictions_{number}") for number, file in enumerate(files))
        inputs = tuple(sorted(parts.iterdir()))
        read_bytes = sum(path.stat().st_size for path in inputs)
        uploads = (
            Command(SUBJECT, _move("upload", url, parts)),
            Command("transfer_manager.upload_many", _move("upload-many", url, parts), 0.9),
            Command("the same in threads", _move("upload-many-threads", url, parts)),
        )
        yield Work("upload shards", rows, read_bytes, uploads, inputs=inputs)
        yield _download_work("download and decode predictions", rows, url, parts)
    with _serve(data / "storage-server", _SLOW_LINK) as (url, parts):
        rows = sum(_cut(file, parts, f"predictions_{number}") for number, file in enumerate(files))
        yield _download_work("download and decode predictions over a slow link", rows, url, parts)


def _build_work(fact: dict, url: str, bucket: Path) -> Work:
    """A build whose prompts and shards lie in the bucket, against one that also keeps its shards here."""
    prompts, spec = Path(fact["folder"]) / "prompts.parquet", Path(fact["folder"]) / "spec.json"
    (bucket / prompts.name).hardlink_to(prompts)
    build = (GEMINATE, "build", f"gs://{BUCKET}/{prompts.name}", "--spec", str(spec), "--key", "key")
    build = (*build, "--endpoint", url, "--out", f"gs://{BUCKET}/staged", "--run", OUT)
    commands = (Command(SUBJECT, build), Command("with --spool", (*build, "--spool")))
    return Work("build from a bucket into it", fact["rows"], prompts.stat().st_size, commands, inputs=(prompts,))


def _download_work(name: str, rows: int, url: str, parts: Path) -> Work:
    inputs = tuple(sorted(parts.iterdir()))
    commands = (
        Command(SUBJECT, _move("decode", url, parts)),
        Command("limit: download alone", _move("read", url, parts), 0.9, is_limit=True),
        Command("limit: transfer_manager.download_many", _move("download-many", url, parts), is_limit=True),
    )
    return Work(name, rows, sum(path.stat().st_size for path in inputs), commands, inputs=inputs)


def _move(what: str, url: str, parts: Path) -> tuple[str, ...]:
    return peer("storage.py", what, url, parts, OUT)


def _cut(file: Path, folder: Path, stem: str) -> int:
    """How many lines the file has; they are copied to files of about 64 MiB, which are objects at once."""
    rows = number = 0
    with file.open("rb") as source:
        while lines := source.readlines(_PART_BYTES):
            rows += len(lines)
            (folder / f"{stem}_{number:04d}.jsonl").write_bytes(b"".join(lines))
            number += 1
    return rows


@contextmanager
def _serve(folder: Path, faults: str = "{}") -> Iterator[tuple[str, Path]]:
    """The URL of an emulator, and a folder of its bucket; all it holds is gone afterwards."""
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    parts = folder / "buckets" / BUCKET / "parts"
    parts.mkdir(parents=True)
    (folder / "faults.json").write_text(faults)
    with serve(folder, "--faults", str(folder / "faults.json")) as url:
        yield url, parts
