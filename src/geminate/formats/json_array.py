"""One JSON document: an array of objects, each a row, or one object, which is one row."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from geminate.errors import PromptError
from geminate.formats.compression import BOM, iter_plain
from geminate.formats.json_rows import RowBlock
from geminate.formats.jsonl import decode_row, explain, without_halves
from geminate.formats.record_batches import STEP_ROWS
from geminate.formats.sources import Source

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_REMEDY = "correct it, or name the format jsonl if each line is an object"


def iter_row_blocks(source: Source) -> Iterator[RowBlock]:
    """The rows, numbered from 1. The whole document is held in memory, since an array has no lines to stop at.

    Raises:
        PromptError: It is not such a document; with the row, where the fault is in one.
    """
    document = b"".join(iter_plain(source)).removeprefix(BOM).strip()
    if not document:
        return
    try:
        elements = [msgspec.Raw(document)] if document.startswith(b"{") else _split(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PromptError(f"no array of objects ({error})", where=source.name, remedy=_REMEDY) from error
    for start in range(0, len(elements), STEP_ROWS):
        rows = []
        for number, element in enumerate(elements[start : start + STEP_ROWS], start + 1):
            try:
                rows.append(decode_row(element))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                reason = explain(bytes(element), error)
                raise PromptError(reason, where=f"{source.name}:{number}", remedy=_REMEDY) from error
        yield RowBlock(rows, range(start + 1, start + 1 + len(rows)))


def _split(document: bytes) -> list[msgspec.Raw]:
    """The elements of an array, also where a text in one has half of a surrogate pair."""
    try:
        return _ELEMENTS.decode(document)
    except msgspec.MsgspecError:
        _ELEMENTS.decode(without_halves(document))
        return [msgspec.Raw(json.dumps(element).encode()) for element in json.loads(document)]
