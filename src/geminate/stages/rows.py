"""Joined rows: the prompts' own columns, and beside them what their predictions gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import UsageError
from geminate.stages.reading import ReadOptions
from geminate.wire.outcomes import RETRYABLE, Outcome
from geminate.wire.tables import DEFAULT_PREFIX, OPTIONAL_COLUMNS, prediction_fields
from geminate.wire.texts import mend


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a prediction came from: its file, and the attempt and job that wrote it.

    Attributes:
        file: The file.
        attempt: The attempt.
        job: The job.
        resumes: Whether the job went on from a former one's output, and so repeats what that one had answered.
    """

    file: str
    attempt: int = 1
    job: str | None = None
    resumes: bool = False


def joined_schema(prompts: pa.Schema, reading: ReadOptions, prefix: str = DEFAULT_PREFIX) -> pa.Schema:
    """The schema of the joined rows.

    Raises:
        UsageError: A column of the prompts has the name of one that is to be added.
    """
    fields = prediction_fields(reading.answer_type, keep_response=reading.keep_response, contents=reading.contents)
    added = [field.with_name(prefix + field.name) for field in fields]
    clashes = sorted(set(prompts.names) & {field.name for field in added})
    if clashes:
        raise UsageError(
            f"the input has columns that the join would add: {', '.join(clashes)}", remedy="choose another prefix"
        )
    return pa.schema([*prompts, *added], metadata=prompts.metadata)


def assemble_rows(
    schema: pa.Schema, inputs: list[pa.Array], used: pa.RecordBatch, origins: list[Origin], extras: dict[str, pa.Array]
) -> pa.RecordBatch:
    """Joined rows of the schema.

    Args:
        schema: As ``joined_schema`` made it.
        inputs: The columns of the prompts; text in them that is not UTF-8 is mended.
        used: For each prompt its prediction, with the origin's place in ``origins`` in ``origin``; a row of nulls
            where there is none.
        origins: Where predictions came from.
        extras: Columns that replace or complete those of ``used``, by their names without the prefix.
    """
    origin = used.column("origin")
    lines = used.column("line").cast(pa.string())
    files = pa.array([place.file for place in origins], pa.string()).take(origin)
    derived = {
        "attempt": pa.array([place.attempt for place in origins], pa.int32()).take(origin),
        "job": pa.array([place.job for place in origins], pa.string()).take(origin),
        "source": pc.binary_join_element_wise(files, lines, ":"),
        **extras,
    }
    names = [field.name for field in prediction_fields()]
    names += [name for name in OPTIONAL_COLUMNS if name in used.schema.names]
    added = [derived[name] if name in derived else used.column(name) for name in names]
    return pa.RecordBatch.from_arrays([*map(mend, inputs), *added], schema=schema)


def fill_unanswered(used: pa.RecordBatch, rejects: pa.StringArray) -> dict[str, pa.Array]:
    """``outcome``, ``error_message`` and ``retryable``, completed for prompts that have no prediction."""
    unanswered = pc.is_null(used.column("outcome"))
    rejected = pc.and_(unanswered, pc.is_valid(rejects))
    outcome = pc.if_else(rejected, Outcome.REJECTED.value, Outcome.MISSING.value)
    retryable = pc.if_else(rejected, RETRYABLE[Outcome.REJECTED], RETRYABLE[Outcome.MISSING])
    return {
        "outcome": pc.coalesce(used.column("outcome"), outcome),
        "error_message": pc.if_else(rejected, rejects, used.column("error_message")),
        "retryable": pc.coalesce(used.column("retryable"), retryable),
    }


_ANSWER = ("response_id", "text", "finish_reason", "block_reason", "total_tokens")


def find_repeats(rows: npt.NDArray[np.int64], predictions: pa.RecordBatch, origins: list[Origin]) -> pa.BooleanArray:
    """Which predictions say again what an earlier attempt's prediction for the same row says.

    Only jobs that went on from a former one's output repeat anything: what was answered there is paid once.
    ``rows`` are those of the predictions, in the order in which they arrived.
    """
    by_prediction = [origins[at] for at in predictions.column("origin").to_pylist()]
    answers = zip(*(predictions.column(name).to_pylist() for name in _ANSWER), strict=True)
    first_attempts: dict[tuple[object, ...], int] = {}
    repeats = []
    for row, origin, answer in zip(rows.tolist(), by_prediction, answers, strict=True):
        first = first_attempts.setdefault((row, *answer), origin.attempt)
        repeats.append(origin.resumes and first < origin.attempt and any(value is not None for value in answer))
    return pa.array(repeats, pa.bool_())


def choose(
    rows: npt.NDArray[np.int64], ok: npt.NDArray[np.bool_], attempts: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """The places of the predictions to use, one for each row that has any, in the order of the rows.

    A usable answer comes before any other; then the latest attempt; and within it the first usable answer, or the
    last failure. ``rows``, ``ok`` and ``attempts`` describe the predictions in the order in which they arrived.
    """
    arrival = np.arange(len(rows))
    order = np.lexsort((np.where(ok, -arrival, arrival), attempts, ok, rows))
    ordered = rows[order]
    is_last = np.ones(len(rows), np.bool_)
    is_last[:-1] = ordered[1:] != ordered[:-1]
    return order[is_last]
