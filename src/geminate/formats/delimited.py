"""CSV and TSV: every column is text, so that ``001`` stays ``001``.

An empty cell is null and a quoted empty cell the empty string. Cells may hold line ends if they are quoted, in TSV too.
Files are UTF-8, or UTF-16 with a byte order mark. Blank lines are no rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.csv as pa_csv

from geminate.errors import PromptError
from geminate.formats.compression import BOM, PIECE_BYTES, UTF16_BOMS, open_plain, plain_head
from geminate.formats.quotes import find_fault, iter_whole_rows, pair_up
from geminate.formats.readable import readable
from geminate.formats.sources import Source
from geminate.wire.violations import brief

DELIMITERS = {"csv": ",", "tsv": "\t"}
"""What stands between the cells of each format."""

# What stands between cells where the file is not what its name says, and what to do then.
_OTHER_DELIMITERS = {
    ";": "separate its cells by commas",
    "\t": "read it as TSV (--input-format tsv)",
    ",": "read it as CSV (--input-format csv)",
}
_HEADER_REMEDY = "give it a header line, or name its columns"
_ARROW_COUNTS = re.compile(r"Expected (\d+) columns, got (\d+)")
_ARROW_ROW = re.compile(r"Row #(\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DelimitedFile:
    """A CSV or TSV file that has been looked at.

    Attributes:
        source: The file.
        names: Its columns.
        has_header: Whether its first row holds the names.
        paired: Whether its quotes are all as RFC 4180 has them.
    """

    source: Source
    names: tuple[str, ...]
    has_header: bool
    paired: bool


def open_delimited(source: Source, columns: tuple[str, ...] | None) -> DelimitedFile:
    """The file, its quotes checked and its columns named: as given, else as in its header line.

    Raises:
        PromptError: The file is empty, a column has no name or one that another has, a quote is never closed, or its
            cells are separated by something else.
    """
    paired, head = _check_quotes(source)
    names = columns or _header(source, head)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        reason = f"two columns are called {twice[0]!r}"
        raise PromptError(reason, where=source.name, remedy="rename one, or name all with columns")
    return DelimitedFile(source, names, columns is None, paired)


def iter_record_batches(file: DelimitedFile) -> Iterator[pa.RecordBatch]:
    """The rows, all columns text. Memory is that of a few mebibytes, or of a few times the longest row.

    Raises:
        PromptError: A row has too few or too many cells, or is not valid text; with the row's number from 1.
    """
    delimiter = DELIMITERS[file.source.format]
    parse_options = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert_options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(file.names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    header, done = int(file.has_header), 0
    for block in iter_whole_rows(_iter_text(file.source), delimiter.encode(), paired=file.paired):
        rows = block.strip(b"\r\n") + b"\n"
        if rows == b"\n":
            continue
        # Arrow numbers rows in its errors only if it reads in one thread.
        read_options = pa_csv.ReadOptions(
            use_threads=False, block_size=len(rows) + 1, column_names=file.names, skip_rows_after_names=header
        )
        try:
            table = pa_csv.read_csv(pa.BufferReader(rows), read_options, parse_options, convert_options)
        except pa.ArrowInvalid as error:
            raise _row_error(file.source, error, done - header) from error
        header = 0
        done += table.num_rows
        yield from table.to_batches()


def _row_error(source: Source, error: pa.ArrowInvalid, rows_before: int) -> PromptError:
    found = _ARROW_ROW.search(str(error))
    if not found:
        return PromptError(f"cannot be read ({error})", where=source.name)
    where, reason = f"{source.name}, row {rows_before + int(found[1])}", found[2]
    if "invalid UTF8" in reason:
        return PromptError("not valid UTF-8", where=where, remedy="save the file as UTF-8")
    # Arrow quotes the row after the last colon, and a prompt's text belongs in no log.
    counts = _ARROW_COUNTS.search(reason)
    return PromptError(
        f"expected {counts[1]} columns, got {counts[2]}" if counts else "cannot be cut into cells",
        where=where,
        remedy="quote cells that hold the delimiter, a quote or a line end",
    )


def _header(source: Source, head: bytes) -> tuple[str, ...]:
    start = head.decode(errors="replace")
    try:
        rows = csv.reader(io.StringIO(start, newline=""), delimiter=DELIMITERS[source.format])
        names = tuple(next((row for row in rows if row), ()))
    except csv.Error as error:
        raise PromptError(f"no header line ({error})", where=source.name, remedy=_HEADER_REMEDY) from error
    if len(names) == 1:
        _refuse_other_delimiter(source, names[0])
    if not any(name.strip() for name in names):
        reason = "its header line has no names" if names else "is empty"
        raise PromptError(reason, where=source.name, remedy=_HEADER_REMEDY)
    return names


def _refuse_other_delimiter(source: Source, name: str) -> None:
    for sign, remedy in _OTHER_DELIMITERS.items():
        if sign in name and sign != DELIMITERS[source.format]:
            reason = f"its header line is one column, {brief(name)}"
            raise PromptError(reason, where=source.name, remedy=f"{remedy}, or rename the column if it is one")


def _check_quotes(source: Source) -> tuple[bool, bytes]:
    """Whether all quotes are as RFC 4180 has them, and the beginning of the text."""
    delimiter, pieces = DELIMITERS[source.format].encode(), _iter_text(source)
    head = next(pieces, b"")
    if pair_up(chain([head], pieces), delimiter):
        return True, head
    fault = find_fault(_iter_text(source), delimiter)
    if fault is None:
        return False, head
    line, rest = 1, fault.offset
    for piece in _iter_text(source):
        line += piece.count(b"\n", 0, max(rest, 0))
        rest -= len(piece)
    remedy = "double quotes inside a quoted cell, and close each one"
    raise PromptError(fault.reason, where=f"{source.name}, line {line}", remedy=remedy)


def _iter_text(source: Source) -> Iterator[bytes]:
    with readable(source.name), _open_text(source) as text:
        piece = text.read(PIECE_BYTES).removeprefix(BOM)
        while piece:
            yield piece
            piece = text.read(PIECE_BYTES)


def _open_text(source: Source) -> pa.NativeFile:
    is_utf16 = plain_head(source, 2).startswith(UTF16_BOMS)
    plain = open_plain(source)
    return pa.transcoding_input_stream(plain, "utf-16", "utf-8") if is_utf16 else plain
