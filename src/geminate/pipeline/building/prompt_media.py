"""The media of prompts, record batch by record batch, ready for their request lines."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from geminate.adapters.system import SystemClock
from geminate.connect import Where, open_store
from geminate.errors import SpecError, UsageError
from geminate.formats.images import require_pillow
from geminate.pipeline.building.media_cells import Treatment, is_remote, settle_medium, size_of
from geminate.pipeline.building.uploads import UploadedObject, Uploader
from geminate.pipeline.run_folder.folder import MediaRecord
from geminate.stages.requests import RequestEncoder
from geminate.stages.requests.media import NO_MEDIA, MediaCell, MediaColumns, MediaSlot, iter_media_cells
from geminate.stages.requests.media_columns import (
    MAX_INLINE_BYTES,
    MediaColumnsBuilder,
    Settled,
    count_fixed_media,
    find_excess,
)
from geminate.stages.specs import Spec
from geminate.wire.limits import limits_of
from geminate.wire.media_types import MEDIA_DATE
from geminate.wire.uris import GS_SCHEME, split_gs_uri
from geminate.wire.violations import Violation

_THREADS = 8
# What is read ahead, and what goes into one record batch: enough to keep threads busy, little enough to forget.
_AHEAD_BYTES = 32 * 1024 * 1024
_AHEAD_ROWS = 64
_STEP_BYTES = 8 * 1024 * 1024

_NOTES = {
    "mistyped": "of another type than the name says, and sent as what the content is",
    "unlisted": f"of a type that was not among those Gemini takes on {MEDIA_DATE}, and sent as the spec says",
    "unscaled": "in Cloud Storage, and not scaled",
}


@dataclass(frozen=True, slots=True)
class Upload:
    """Where local media are stored.

    Attributes:
        uri: Below which they get their names, ``gs://bucket/prefix``; None to have them inline, but where the spec says
            otherwise.
        where: What stands behind ``gs://``.
        is_rehearsed: Whether nothing is stored, and only the names are found.
    """

    uri: str | None = None
    where: Where = field(default_factory=Where)
    is_rehearsed: bool = False


REHEARSED = Upload(is_rehearsed=True)
"""For requests that are looked at and not sent."""

_Pending = Future[Settled] | Settled


class PromptMedia:
    """Reads, checks, inlines and uploads the media that a spec's slots ask for. Serves one build.

    Args:
        spec: The spec, for its media's options and its model's limits.
        encoder: What was compiled of it.
        upload: Where local media are stored.
        locate: The file and line of a row, counted from 0.
        emulator_path: The folder of the run's embedded emulator, if it may have one.

    Raises:
        InputError: The upload's URI is none.
        SpecError: The spec itself holds more media than the model takes.
        UsageError: Images should be scaled, and Pillow is not there; or media uploaded, and the spec asks for none.
    """

    def __init__(
        self,
        spec: Spec,
        encoder: RequestEncoder,
        upload: Upload,
        locate: Callable[[int], tuple[str, int]],
        emulator_path: Path | None = None,
    ) -> None:
        if upload.uri is not None and not encoder.media:
            remedy = "write {{ COL | part }} among its parts, or leave out --upload"
            raise UsageError("the spec has no media to upload", where=upload.uri, remedy=remedy)
        self._slots = encoder.media
        self._limits = limits_of(spec.model)
        self._fixed = count_fixed_media(spec.request)
        for violation in find_excess(self._fixed, self._limits, "$.request.contents"):
            raise SpecError(f"{violation.message} ({violation.rule})", where=spec.place(violation.path))
        self._locate = locate
        self._upload = upload
        self._uploader: Uploader | None = None
        self._treatments = [self._treat(spec, slot, emulator_path) for slot in self._slots]
        self._folders: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._noted: dict[str, str] = {}

    @property
    def record(self) -> MediaRecord | None:
        """What became of the media, None where the spec asks for none."""
        if not self._slots:
            return None
        objects = self.objects
        new = [stored for stored in objects if not stored.reused]
        return MediaRecord(
            upload_uri=self._upload.uri,
            inlined=self._counts["inlined"],
            inlined_bytes=self._counts["inlined_bytes"],
            referred=self._counts["referred"],
            uploaded=len(new),
            uploaded_bytes=sum(stored.size_bytes for stored in new),
            reused=len(objects) - len(new),
            scaled=self._counts["scaled"],
        )

    @property
    def objects(self) -> list[UploadedObject]:
        """The media in the store, by URI."""
        return self._uploader.objects if self._uploader else []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the prompts' author should know of their media, a sentence each."""
        return tuple(
            f"media: {self._counts[kind]:,} {meaning}; the first: {self._noted[kind]}"
            for kind, meaning in _NOTES.items()
            if self._counts[kind]
        )

    def iter_resolved(self, record_batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, MediaColumns]]:
        """The same rows with their media, in record batches cut smaller where media are large.

        Memory is that of some dozens of MiB of media, or of the largest.

        Raises:
            GeminateError: An upload fails.
        """
        if not self._slots:
            yield from ((record_batch, NO_MEDIA) for record_batch in record_batches)
            return
        first_row = 0
        threads = ThreadPoolExecutor(_THREADS, "geminate-media")
        try:
            for record_batch in record_batches:
                yield from self._iter_steps(record_batch, first_row, threads)
                first_row += record_batch.num_rows
        finally:
            threads.shutdown(cancel_futures=True)

    def _treat(self, spec: Spec, slot: MediaSlot, emulator_path: Path | None) -> Treatment:
        options = spec.media_options(slot.name)
        upload_uri = options.upload if isinstance(options.upload, str) else None
        if options.upload is None:
            upload_uri = self._upload.uri
        if upload_uri is not None:
            split_gs_uri(upload_uri)
            if self._uploader is None:
                rehearsed = self._upload.is_rehearsed
                store = None if rehearsed else open_store(self._upload.where, emulator_path)
                self._uploader = Uploader(store, SystemClock())
        treatment = Treatment(options, self._limits, upload_uri, self._uploader)
        if treatment.box:
            require_pillow()
        return treatment

    def _iter_steps(
        self, record_batch: pa.RecordBatch, first_row: int, threads: ThreadPoolExecutor
    ) -> Iterator[tuple[pa.RecordBatch, MediaColumns]]:
        start, size, rows = 0, 0, MediaColumnsBuilder(self._slots, self._limits, self._fixed)
        for position, row in enumerate(self._iter_rows(record_batch, first_row, threads)):
            row_bytes = rows.add(row)
            if row_bytes:
                self._count(row)
            size += row_bytes
            if size >= _STEP_BYTES:
                yield record_batch.slice(start, position + 1 - start), rows.finish()
                start, size, rows = position + 1, 0, MediaColumnsBuilder(self._slots, self._limits, self._fixed)
        if start < record_batch.num_rows:
            yield record_batch.slice(start), rows.finish()

    def _iter_rows(
        self, record_batch: pa.RecordBatch, first_row: int, threads: ThreadPoolExecutor
    ) -> Iterator[list[list[Settled] | None]]:
        """Each row's media by slot, None for a null; some rows are read ahead."""
        ahead: deque[tuple[list[list[_Pending] | None], int]] = deque()
        ahead_bytes = 0
        cells = (iter_media_cells(record_batch, slot) for slot in self._slots)
        for position, row in enumerate(zip(*cells, strict=True)):
            folder = self._folder_of(first_row + position)
            started = [self._start(slot, media, folder, threads) for slot, media in enumerate(row)]
            row_bytes = sum(size for _, size in started)
            ahead.append(([pending for pending, _ in started], row_bytes))
            ahead_bytes += row_bytes
            while ahead and (ahead_bytes > _AHEAD_BYTES or len(ahead) > _AHEAD_ROWS):
                done, done_bytes = ahead.popleft()
                ahead_bytes -= done_bytes
                yield _take(done)
        while ahead:
            yield _take(ahead.popleft()[0])

    def _start(
        self, slot: int, media: list[MediaCell] | None, folder: str, threads: ThreadPoolExecutor
    ) -> tuple[list[_Pending] | None, int]:
        """What will become of one cell, and how many bytes are read for it."""
        if media is None:
            return None, 0
        treatment = self._treatments[slot]
        sizes = [0 if is_remote(cell, folder) else size_of(cell, folder) for cell in media]
        if treatment.is_inline and len(media) > 1 and sum(sizes) > MAX_INLINE_BYTES:
            # Together they would not fit into memory, either.
            what = f"{sum(sizes):,} bytes are too many for a request line; upload the media"
            return [Violation("limit.line_bytes", what)], 0
        pending: list[_Pending] = []
        for cell in media:
            if is_remote(cell, folder):
                pending.append(settle_medium(cell, folder, treatment))
            else:
                pending.append(threads.submit(settle_medium, cell, folder, treatment))
        return pending, sum(sizes)

    def _folder_of(self, row: int) -> str:
        file, _ = self._locate(row)
        if file not in self._folders:
            if file.startswith(GS_SCHEME):
                self._folders[file] = file.rpartition("/")[0]
            else:
                self._folders[file] = os.path.dirname(file) if "://" not in file else ""  # noqa: PTH120 - "" stays "".
        return self._folders[file]

    def _count(self, row: list[list[Settled] | None]) -> None:
        for media in row:
            for medium in media or ():
                if isinstance(medium, Violation):
                    continue
                self._counts["scaled"] += medium.is_scaled
                if medium.uri is None:
                    self._counts["inlined"] += 1
                    self._counts["inlined_bytes"] += medium.size_bytes
                elif not medium.size_bytes:
                    self._counts["referred"] += 1
                for kind, note in medium.notes:
                    self._counts[kind] += 1
                    self._noted.setdefault(kind, note)


def _take(row: list[list[_Pending] | None]) -> list[list[Settled] | None]:
    return [
        None if media is None else [one.result() if isinstance(one, Future) else one for one in media] for media in row
    ]
