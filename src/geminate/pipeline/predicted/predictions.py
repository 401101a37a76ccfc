"""From where predictions lie to decoded blocks, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from geminate.errors import TruncatedError, UsageError
from geminate.formats.line_files import LineFile, find_line_files
from geminate.pipeline.pace.overlap import iter_begun_ahead
from geminate.pipeline.predicted.prediction_tables import open_prediction_table
from geminate.pipeline.predicted.workers import DecodeWorkers, count_workers
from geminate.ports import ObjectStore, TableStore
from geminate.stages.predictions import DecodedBlock
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import LineBlock, iter_line_blocks
from geminate.wire.predictions import Unreadable
from geminate.wire.uris import BQ_SCHEME, GS_SCHEME

UNFINISHED = "incremental_predictions"
"""In the names of what a job writes while it runs; the finished files repeat it (a user's report, 2026-11)."""

OpenStore = Callable[[], ObjectStore]
OpenTables = Callable[[], TableStore]


def find_predictions(names: Iterable[str], objects: OpenStore, tables: OpenTables) -> list[LineFile]:
    """The prediction files, or tables as files of lines, that the names stand for.

    What was written while a job ran is left out where its folder holds finished files; where not, it is all there is.

    Raises:
        InputError: There are none.
    """
    files = [
        file
        for name in names
        for file in (
            [open_prediction_table(name, tables())] if name.startswith(BQ_SCHEME) else find_line_files([name], objects)
        )
    ]
    files = list({file.name: file for file in files}.values())
    if not files:
        raise UsageError("no predictions are named")
    finished = [file.name for file in files if UNFINISHED not in file.name]
    return [file for file in files if not _is_superseded(file.name, finished)]


def _is_superseded(name: str, finished: list[str]) -> bool:
    """Whether a file was written while its job ran, and the job's finished files stand beside it."""
    place, unfinished, _ = name.partition(UNFINISHED)
    return bool(unfinished) and any(other.startswith(place) for other in finished)


def iter_decoded(files: list[LineFile], reading: ReadOptions) -> Iterator[DecodedBlock]:
    """The files' lines, decoded, in order; beside the caller where there is enough of them.

    Where compressed data ends early, one more unreadable line stands for all that is lost. Of files in a store, the
    next one is being fetched already.
    """
    with DecodeWorkers(reading, count_workers(sum(file.size_bytes or 0 for file in files))) as workers:
        for file, pieces in zip(files, _iter_pieces(files), strict=True):
            damage: list[TruncatedError] = []
            number, offset = 1, 0
            blocks = iter_line_blocks(_iter_undamaged(pieces, damage))
            for decoded in workers.iter_decoded(blocks, source=file.name):
                number, offset = decoded.block.number(len(decoded.block)), int(decoded.block.offsets()[-1])
                yield decoded
            if damage:
                lost = LineBlock(b"", number, offset, terminated=False)
                none = pa.RecordBatch.from_pylist([], schema=reading.schema)
                yield DecodedBlock(none, {0: Unreadable("truncated", damage[0].what)}, file.name, lost)


def _iter_pieces(files: list[LineFile]) -> Iterator[Iterator[bytes]]:
    if any(file.name.startswith(GS_SCHEME) for file in files[1:]):
        return iter_begun_ahead([file.iter_pieces for file in files])
    return (file.iter_pieces() for file in files)


def _iter_undamaged(pieces: Iterator[bytes], damage: list[TruncatedError]) -> Iterator[bytes]:
    """The pieces before the damage, which is put into the list."""
    try:
        yield from pieces
    except TruncatedError as error:
        damage.append(error)
