"""Request lines held against the rules, file by file in one pass."""

from __future__ import annotations

from collections.abc import Iterator

from geminate.formats.line_files import LineFile
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.stages.checks import CheckOptions, RequestChecker
from geminate.wire.lines import iter_line_blocks
from geminate.wire.violations import Violation


def iter_request_violations(
    files: list[LineFile], options: CheckOptions | None = None, notify: Notify = silent
) -> Iterator[Violation]:
    """Every violation of a set of request files: line by line in their order, then those of the set as a whole.

    Files are read once. Memory is that of a few MiB and 16 bytes a key.
    """
    checker = RequestChecker(options)
    for file in files:
        for block in iter_line_blocks(file.iter_pieces()):
            yield from checker.feed(block, file.name)
            notify(Progress("check", checker.line_count, None, "lines"))
    yield from checker.finish()


def first_violation(name: str, pieces: Iterator[bytes], options: CheckOptions | None = None) -> Violation | None:
    """What is wrong first with the request lines of one job, None where nothing is."""
    return next(iter_request_violations([LineFile(name, None, lambda: pieces)], options), None)
