"""Check: request lines of any origin, before anybody pays for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from geminate.errors import InputError, TargetError, UsageError
from geminate.formats.atomic import open_atomic
from geminate.formats.line_files import LineFile, find_line_files
from geminate.pipeline.building.opening import Stores
from geminate.pipeline.predicted.checked_tables import open_request_table
from geminate.pipeline.run_folder.folder import is_run
from geminate.pipeline.submitting.datasets import is_table
from geminate.stages.checks import fix_line
from geminate.wire.lines import iter_line_blocks


def name_requests(names: Iterable[str]) -> list[str]:
    """The same names; the folder of a run stands for its request lines alone."""
    named = []
    for name in names:
        if is_run(name):
            named += [str(path) for path in sorted(Path(name).glob("requests-*.jsonl"))]
        else:
            named.append(name)
    return named


def find_requests(names: Iterable[str], stores: Stores) -> tuple[list[LineFile], bool]:
    """The files or tables of requests that the names stand for, and whether they are tables.

    Raises:
        InputError: There are none, or a table is none that a job could read.
        UsageError: Some are files and some are tables, for which other rules hold.
    """
    found = list(names)
    tables = [name for name in found if is_table(name)]
    if not tables:
        return find_line_files(name_requests(found), stores.objects), False
    if len(tables) < len(found):
        raise UsageError("files and tables are held against other rules", remedy="check them one after the other")
    store = stores.tables()
    return [open_request_table(uri, store) for uri in tables], True


@dataclass(frozen=True, slots=True)
class Fix:
    """One repair: where, and what was changed."""

    file: str
    line: int
    change: str


def fix_requests(files: list[LineFile], out: Path, *, overwrite: bool = False) -> Iterator[Fix]:
    """Every repair, in order; when the last one has been taken, ``out`` holds all lines, repaired or as they were.

    Only what has one right answer is repaired; the rest stays for a check of ``out`` to find.

    Raises:
        InputError: A line is too long to be kept whole.
        TargetError: ``out`` exists.
    """
    if out.exists() and not overwrite:
        raise TargetError("exists already", where=str(out), remedy="remove it, or name another")
    with open_atomic(out, overwrite=overwrite) as fixed_file:
        for file in files:
            for block in iter_line_blocks(file.iter_pieces()):
                for position, line in enumerate(block.lines):
                    where = block.number(position)
                    if position in block.overlong:
                        length = block.overlong[position]
                        raise InputError(f"a line of {length:,} bytes cannot be repaired", where=f"{file.name}:{where}")
                    fixed = fix_line(line)
                    if fixed.line is not None:
                        fixed_file.write(fixed.line + b"\n")
                    yield from (Fix(file.name, where, change) for change in fixed.changes)
