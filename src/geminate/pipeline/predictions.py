"""From where predictions lie to decoded blocks, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from geminate.formats.line_files import LineFile, find_line_files
from geminate.pipeline.workers import DecodeWorkers, count_workers
from geminate.ports import ObjectStore
from geminate.stages.predictions import DecodedBlock
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import iter_line_blocks

# What a job writes while it runs; the finished files repeat it (a user's report, 2026-11).
_UNFINISHED = "incremental_predictions"


def find_predictions(names: Iterable[str], store: Callable[[], ObjectStore]) -> list[LineFile]:
    """The prediction files that the names stand for.

    Where a folder holds finished files, what was written while the job ran is left out; where not, it is all there is.

    Raises:
        InputError: There are none.
    """
    files = find_line_files(names, store)
    finished = [file for file in files if _UNFINISHED not in file.name]
    return finished or files


def iter_decoded(files: list[LineFile], reading: ReadOptions) -> Iterator[DecodedBlock]:
    """The files' lines, decoded, in order; on every core where there is enough of them.

    Raises:
        InputError: Compressed data is damaged; what came before it has been handed out.
    """
    with DecodeWorkers(reading, count_workers(sum(file.size_bytes or 0 for file in files))) as workers:
        for file in files:
            yield from workers.iter_decoded(iter_line_blocks(file.iter_pieces()), source=file.name)
