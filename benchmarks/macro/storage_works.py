"""Moving shards to Cloud Storage and predictions back, on a server of this machine: the emulator's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from macro.served import serve
from macro.works import OUT, SUBJECT, Command, Work, peer

BUCKET = "bench"
_PART_BYTES = 64 * 1024 * 1024


def iter_storage_works(facts: Iterable[dict], data: Path) -> Iterator[Work]:
    """The works; their server runs until the last of them is done."""
    files = [Path(fact["folder"]) / "predictions.jsonl" for fact in facts]
    folder = data / "storage-server"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    parts = folder / "buckets" / BUCKET / "parts"
    parts.mkdir(parents=True)
    with serve(folder) as url:
        rows = sum(_cut(file, parts, f"predictions_{number}") for number, file in enumerate(files))
        inputs = tuple(sorted(parts.iterdir()))
        read_bytes = sum(path.stat().st_size for path in inputs)

        def command(name: str, what: str, goal: float | None = None, *, is_limit: bool = False) -> Command:
            return Command(name, peer("storage.py", what, url, parts, OUT), goal, is_limit=is_limit)

        uploads = (
            command(SUBJECT, "upload"),
            command("transfer_manager.upload_many", "upload-many", 0.9),
            command("the same in threads", "upload-many-threads"),
        )
        yield Work("upload shards", rows, read_bytes, uploads, inputs=inputs)
        downloads = (
            command(SUBJECT, "decode"),
            command("limit: download alone", "read", 0.9, is_limit=True),
            command("limit: transfer_manager.download_many", "download-many", is_limit=True),
        )
        yield Work("download and decode predictions", rows, read_bytes, downloads, inputs=inputs)


def _cut(file: Path, folder: Path, stem: str) -> int:
    """How many lines the file has; they are copied to files of about 64 MiB, which are objects at once."""
    rows = number = 0
    with file.open("rb") as source:
        while lines := source.readlines(_PART_BYTES):
            rows += len(lines)
            (folder / f"{stem}_{number:04d}.jsonl").write_bytes(b"".join(lines))
            number += 1
    return rows
