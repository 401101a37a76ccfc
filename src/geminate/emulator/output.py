"""The output directory: lines into hidden files, which become visible whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from geminate.emulator.jobs import Job
from geminate.emulator.times import rfc3339

_SINGLE_NAME = "predictions.jsonl"
_NUMBERED_NAME = "predictions_{:04d}.jsonl"
_INCREMENTAL_NAME = "incremental_predictions_{:05d}.jsonl"


def bucket_of(uri: str) -> str:
    """The name of the bucket of a URI."""
    return uri.removeprefix("gs://").partition("/")[0]


def directory_uri(job: Job, tuned_model_name: str | None) -> str:
    """The output directory of a job: of its creation time, hence the same however often it is started."""
    name = "model" if tuned_model_name is None else tuned_model_name
    return f"{job.output_prefix_uri.rstrip('/')}/prediction-{name}-{rfc3339(job.create_time)}"


def table_uri(job: Job) -> str:
    """The output table of a job: the one it names, else one of its creation time in the dataset it names."""
    uri = job.output_prefix_uri
    if uri.count(".") > 1:
        return uri
    return f"{uri}.predictions_{re.sub(r'[^0-9A-Za-z]', '_', rfc3339(job.create_time))}"


class Directory(NamedTuple):
    """Where files are written hidden, and what then shows each under its name."""

    path: Path
    show: Callable[[Path, str], object]


class OutputWriter:
    """Writes a job's lines; use it as a context, which leaves no hidden file behind.

    Args:
        directory: The output directory; its folder is made with the first line.
        job_id: Part of the hidden names, since two jobs may share a directory.
        total: How many lines there will be.
        files: How many files they are spread over.
        incremental: Whether lines also show up before the end.
    """

    def __init__(self, directory: Directory, job_id: str, total: int, files: int, *, incremental: bool) -> None:
        self._directory, self._show_file = directory
        self._job_id = job_id
        self._total = total
        self._files = min(files, max(total, 1))
        self._written = 0
        self._incremental = incremental
        self._shown = 0
        self._open: BinaryIO | None = None
        self._names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        for name in self._names:
            self._hidden(name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Nothing; what an interrupted start of this job left is gone."""
        kinds = (f".*.{self._job_id}", "predictions*.jsonl", "incremental_predictions_*.jsonl")
        for path in [path for kind in kinds for path in self._directory.glob(kind)]:
            path.unlink()

    def write(self, lines: list[bytes]) -> None:
        """Nothing; the lines follow the earlier ones."""
        for line in lines:
            if self._written * self._files >= len(self._names) * self._total:
                self._next_file()
            if self._open:
                self._open.write(line + b"\n")
            self._written += 1
        if self._incremental and lines:
            self._show(lines)

    def publish(self) -> None:
        """Nothing; the files stand under their names. One without lines appears only where all were asked for."""
        if not self._names and not self._total:
            self._next_file()
        self._close()
        for name in self._names:
            self._show_file(self._hidden(name), name)
        self._names = []

    def _next_file(self) -> None:
        self._close()
        self._directory.mkdir(parents=True, exist_ok=True)
        name = _SINGLE_NAME if self._files == 1 else _NUMBERED_NAME.format(len(self._names) + 1)
        self._names.append(name)
        self._open = self._hidden(name).open("wb")

    def _show(self, lines: list[bytes]) -> None:
        name = _INCREMENTAL_NAME.format(self._shown)
        self._shown += 1
        self._hidden(name).write_bytes(b"\n".join([*lines, b""]))
        self._show_file(self._hidden(name), name)

    def _hidden(self, name: str) -> Path:
        return self._directory / f".{name}.{self._job_id}"

    def _close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None
