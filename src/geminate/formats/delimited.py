"""CSV and TSV: every column is text, so that ``001`` stays ``001``.

An empty cell is null and a quoted empty cell the empty string. Cells may hold line ends if they are quoted, in TSV too.
Files are UTF-8, or UTF-16 with a byte order mark. Blank lines are no rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.csv as pa_csv

from geminate.errors import PromptError
from geminate.formats.compression import BOM, PIECE_BYTES, UTF16_BOMS, open_plain, readable
from geminate.formats.quotes import find_fault, pair_up
from geminate.formats.sources import Source

DELIMITERS = {"csv": ",", "tsv": "\t"}
"""What stands between the cells of each format."""

_HEADER_REMEDY = "give it a header line, or name its columns"
_ARROW_ROW = re.compile(r"Row #(\d+): (.*)", re.DOTALL)
# A row must fit in a block. The first size serves nearly all files; Arrow takes no larger one than the last.
_BLOCK_BYTES = (4 * 1024**2, 32 * 1024**2, 256 * 1024**2, 2**31 - 1)


def read_names(source: Source, columns: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns' names: those given, else the header line's. The file's quotes are checked on the way.

    Raises:
        PromptError: The file is empty, a column has no name or one that another has, or a quote is never closed.
    """
    _check_quotes(source)
    names = columns or _header(source)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PromptError(
            f"two columns are called {twice[0]!r}", where=source.name, remedy="rename one, or name all with columns"
        )
    return names


def iter_record_batches(source: Source, names: tuple[str, ...], *, header: bool) -> Iterator[pa.RecordBatch]:
    """The rows, all columns text. Memory is that of a few blocks of 4 MiB, or of what the longest row needs.

    Raises:
        PromptError: A row has too few or too many cells, or is not valid text; with the row's number from 1.
    """
    done = 0
    for block_bytes in _BLOCK_BYTES:
        skip = done
        try:
            for record_batch in _iter_blocks(source, names, block_bytes, header=header):
                rest = record_batch.slice(min(skip, record_batch.num_rows))
                skip -= record_batch.num_rows - rest.num_rows
                done += rest.num_rows
                yield rest
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise _row_error(source, error, header=header) from error
            if sum(map(len, _iter_text(source))) <= block_bytes:
                return  # All of it fits: Arrow says the same of a header line without a line end.
        else:
            return
    raise PromptError(f"a row of over {block_bytes:,} bytes", where=f"{source.name}:{done + 1}")


def _iter_blocks(source: Source, names: tuple[str, ...], block_bytes: int, *, header: bool) -> Iterator[pa.RecordBatch]:
    with _open_text(source) as text:
        reader = pa_csv.open_csv(
            text,
            # Rows are only numbered in errors if one thread reads them.
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=block_bytes, column_names=names, skip_rows_after_names=int(header)
            ),
            parse_options=pa_csv.ParseOptions(delimiter=DELIMITERS[source.format], newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        yield from reader


def _row_error(source: Source, error: pa.ArrowInvalid, *, header: bool) -> PromptError:
    found = _ARROW_ROW.search(str(error))
    if not found:
        return PromptError(f"cannot be read ({error})", where=source.name)
    where, reason = f"{source.name}:{int(found[1]) - header}", found[2]
    if "invalid UTF8" in reason:
        return PromptError("not valid UTF-8", where=where, remedy="save the file as UTF-8")
    return PromptError(
        reason[:1].lower() + reason[1:],
        where=where,
        remedy="quote cells that hold the delimiter, a quote or a line end",
    )


def _header(source: Source) -> tuple[str, ...]:
    with _open_text(source) as text:
        start = text.read(PIECE_BYTES).removeprefix(BOM).decode(errors="replace")
    try:
        rows = csv.reader(io.StringIO(start, newline=""), delimiter=DELIMITERS[source.format])
        names = tuple(next((row for row in rows if row), ()))
    except csv.Error as error:
        raise PromptError(f"no header line ({error})", where=source.name, remedy=_HEADER_REMEDY) from error
    if not any(name.strip() for name in names):
        reason = "its header line has no names" if names else "is empty"
        raise PromptError(reason, where=source.name, remedy=_HEADER_REMEDY)
    return names


def _check_quotes(source: Source) -> None:
    delimiter = DELIMITERS[source.format].encode()
    if pair_up(_iter_text(source), delimiter):
        return
    fault = find_fault(_iter_text(source), delimiter)
    if fault:
        line = 1
        for piece in _iter_text(source):
            line += piece.count(b"\n", 0, max(fault.offset, 0))
            fault = replace(fault, offset=fault.offset - len(piece))
        remedy = "double quotes inside a quoted cell, and close each one"
        raise PromptError(fault.reason, where=f"{source.name}, line {line}", remedy=remedy)


def _iter_text(source: Source) -> Iterator[bytes]:
    with readable(source.name), _open_text(source) as text:
        piece = text.read(PIECE_BYTES).removeprefix(BOM)
        while piece:
            yield piece
            piece = text.read(PIECE_BYTES)


def _open_text(source: Source) -> pa.NativeFile:
    with open_plain(source) as stream:
        is_utf16 = stream.read(2).startswith(UTF16_BOMS)
    plain = open_plain(source)
    return pa.transcoding_input_stream(plain, "utf-16", "utf-8") if is_utf16 else plain
