"""Fan out: the prompts whose request was not sent again get the prediction of the one that was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.formats.row_store import RowStore
from geminate.pipeline.run_folder.followers import Followers, Rows
from geminate.pipeline.written.outputs import RowStream
from geminate.wire.outcomes import Outcome
from geminate.wire.tables import TOKEN_COLUMNS

_MAX_FILLED_BYTES = 32 << 20
_FIXED_BYTES = 256


def fan_out(stream: RowStream, followers: Followers, prompt_columns: int, prefix: str) -> RowStream:
    """The same rows in the same order; a follower has what its leader has, but no tokens and no duplicates of its own.

    So what one prediction used is counted once, with its leader. Leaders wait in a temporary file for their followers;
    memory is that of a record batch, and a few bytes a follower.

    Args:
        stream: All rows of a run, its followers as if they had been rejected.
        followers: Which they are.
        prompt_columns: How many columns are the prompts' own; the others are filled.
        prefix: What those begin with.
    """
    return replace(stream, rows=_iter_fanned_out(stream, followers, prompt_columns, prefix))


def _iter_fanned_out(
    stream: RowStream, followers: Followers, prompt_columns: int, prefix: str
) -> Iterator[pa.RecordBatch]:
    added = stream.schema.names[prompt_columns:]
    sizes = np.zeros(len(followers.leaders), np.int64)
    outcomes: Counter[str] = Counter()
    first = stored = 0
    with RowStore() as store:
        for record_batch in stream.rows:
            stop = first + record_batch.num_rows
            leaders = record_batch.select(added).take(pa.array(followers.leaders_between(first, stop) - first))
            store.append(leaders)
            sizes[stored : stored + leaders.num_rows] = _row_bytes(leaders)
            stored += leaders.num_rows
            rows, places = followers.between(first, stop)
            for part, positions, part_places in _iter_parts(record_batch, rows - first, places, sizes):
                if not len(positions):
                    yield part
                    continue
                found = store.take(part_places)
                outcomes.update(found.column(f"{prefix}outcome").to_pylist())
                yield _fill(part, positions, _unbilled(found, prefix))
            first = stop
    report = stream.report
    report.fanned_out = outcomes.total()
    report.outcomes.update(outcomes)
    report.outcomes.subtract({Outcome.REJECTED.value: report.fanned_out})
    report.outcomes = +report.outcomes


def _iter_parts(
    record_batch: pa.RecordBatch, positions: Rows, places: Rows, sizes: Rows
) -> Iterator[tuple[pa.RecordBatch, Rows, Rows]]:
    """The rows in parts whose followers do not take much memory, with the positions of these and their leaders."""
    groups = np.cumsum(sizes[places]) // _MAX_FILLED_BYTES
    cuts = positions[1:][groups[1:] != groups[:-1]].tolist()
    for start, stop in pairwise([0, *cuts, record_batch.num_rows]):
        inside = slice(*np.searchsorted(positions, [start, stop]))
        yield record_batch.slice(start, stop - start), positions[inside] - start, places[inside]


def _fill(rows: pa.RecordBatch, positions: Rows, found: pa.RecordBatch) -> pa.RecordBatch:
    choice = np.arange(rows.num_rows)
    choice[positions] = rows.num_rows + np.arange(len(positions))
    columns = [
        pa.concat_arrays([column, found.column(name)]).take(pa.array(choice)) if name in found.schema.names else column
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def _unbilled(found: pa.RecordBatch, prefix: str) -> pa.RecordBatch:
    for name in TOKEN_COLUMNS:
        at = found.schema.get_field_index(f"{prefix}{name}")
        found = found.set_column(at, found.schema.field(at), pa.nulls(found.num_rows, found.schema.field(at).type))
    at = found.schema.get_field_index(f"{prefix}duplicates")
    return found.set_column(at, found.schema.field(at), pa.array(np.zeros(found.num_rows, np.int32)))


def _row_bytes(rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """About what each row takes; typed answers are as long as their text."""
    sizes = np.full(rows.num_rows, _FIXED_BYTES, np.int64)
    for column in rows.columns:
        if pa.types.is_string(column.type):
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        elif rows.num_rows:
            sizes += column.nbytes // rows.num_rows
    return sizes
