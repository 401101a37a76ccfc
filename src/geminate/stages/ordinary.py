"""Ordinary predictions to Arrow columns, a block at a time: one finished text, and nothing out of the way.

Nearly every line of a real file is one. The lines' own members are read by msgspec, which proves every line to be JSON;
their responses, put together, go through Arrow's JSON reader, which makes columns without a Python object a value and
leaves other threads alone meanwhile. Whatever either of them finds odd is left to the careful way, line by line.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from msgspec import Raw

from geminate.stages.columns import line_columns, ordinary_verdicts
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import LineBlock
from geminate.wire.predictions import ABSENT, Usage, is_plain_name
from geminate.wire.tables import TOKEN_COLUMNS

Mask = npt.NDArray[np.bool_]

_OPENS = ord("{")
_PART = pa.struct({"text": pa.string(), "thought": pa.bool_(), "functionCall": pa.struct({"name": pa.string()})})
_CANDIDATE = pa.struct(
    {
        "content": pa.struct({"parts": pa.list_(_PART)}),
        "finishReason": pa.string(),
        "finishMessage": pa.string(),
    }
)
_RESPONSE = pa.schema(
    {
        "candidates": pa.list_(_CANDIDATE),
        "modelVersion": pa.string(),
        "promptFeedback": pa.struct({"blockReason": pa.string()}),
        "responseId": pa.string(),
        "usageMetadata": pa.struct([(field.encode_name, pa.int64()) for field in msgspec.structs.fields(Usage)]),
    }
)
_PARSE = pj.ParseOptions(explicit_schema=_RESPONSE, newlines_in_values=False, unexpected_field_behavior="ignore")


def read_ordinary(block: LineBlock, reading: ReadOptions) -> tuple[Mask, dict[str, pa.Array]] | None:
    """Which lines are ordinary, and the columns of all lines, which hold for those; None where no line can be told.

    Every line is then a JSON object. That the block is UTF-8 has to be known before.
    """
    if not block.are_objects() or not is_plain_name(reading.key_name):
        return None
    try:
        lines = _line_decoder(reading)(block.data)
    except (ValueError, RecursionError):  # MsgspecError is a ValueError.
        return None
    if len(lines) != len(block):
        return None
    responses = _read_responses([line.response_json for line in lines])
    if responses is None:
        return None
    ordinary, columns = _response_columns(responses)
    ordinary &= np.fromiter((not line.status and line.error is None for line in lines), np.bool_, len(lines))
    return ordinary, columns | ordinary_verdicts(len(lines)) | line_columns(lines, reading)


def _line_decoder(reading: ReadOptions) -> Callable[[bytes], list[Any]]:
    return _decoder(reading.key_name, with_request=reading.fingerprints != "none", only_key=reading.with_siblings)


@cache
def _decoder(key_name: str | None, *, with_request: bool, only_key: bool) -> Callable[[bytes], list[Any]]:
    """What reads the lines of a block, each as the members of ``Prediction`` that stand on the line itself.

    With ``only_key`` it refuses a line that has siblings beside its key.
    """
    rename = {"response_json": "response"}
    fields: list[tuple[str, object, object]] = [
        ("status", str | None, None),
        ("response_json", Raw, Raw(b"{}")),
        ("processed_time", str | None, None),
        ("error", dict[str, Raw] | None, None),
    ]
    namespace: dict[str, Any] = {"siblings": ABSENT}
    if with_request or only_key:
        fields.append(("request", Raw, ABSENT))
    if key_name is None:
        namespace["key"] = None
    else:
        # A key that is null is a sibling still, which only the careful way can tell from one that is not there.
        fields.append(("key", str if only_key else str | None, None))
        rename["key"] = key_name
    line = msgspec.defstruct(
        "Line", fields, gc=False, rename=rename, namespace=namespace, forbid_unknown_fields=only_key
    )
    return cast("Callable[[bytes], list[Any]]", msgspec.json.Decoder(line).decode_lines)


def _read_responses(responses: list[Raw]) -> pa.RecordBatch | None:
    """The responses, each on one line, as columns; None where one is no object, or a member has an unforeseen type."""
    text = b"\n".join(responses)
    # Arrow 26 dies of a row that is null, so that only objects may come to it.
    starts = np.cumsum(np.fromiter(map(len, responses), np.int64, len(responses)) + 1)[:-1]
    if not text.startswith(b"{") or (np.frombuffer(text, np.uint8)[starts] != _OPENS).any():
        return None
    one_block = pj.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        batches = pj.read_json(pa.BufferReader(text), one_block, _PARSE).to_batches()
    except pa.ArrowInvalid:
        return None
    return batches[0] if len(batches) == 1 and batches[0].num_rows == len(responses) else None


def _response_columns(responses: pa.RecordBatch) -> tuple[Mask, dict[str, pa.Array]]:
    """Which responses are ordinary, and what they give."""
    columns = dict(zip(TOKEN_COLUMNS, responses.column("usageMetadata").flatten(), strict=True))
    columns |= {"model_version": responses.column("modelVersion"), "response_id": responses.column("responseId")}
    candidates = responses.column("candidates")
    offsets = candidates.offsets.to_numpy()
    ordinary = (np.diff(offsets) == 1) & ~_is_valid(responses.column("promptFeedback"))
    ordinary &= _is_valid(columns["model_version"]) & _is_valid(columns["prompt_tokens"])
    finished, texts = _texts(candidates.values)
    if not ordinary.any():
        return ordinary, columns | {"text": pa.nulls(len(ordinary), pa.string())}
    # Of rows without a candidate any text will do, since they are not ordinary.
    places = np.minimum(offsets[:-1], len(finished) - 1)
    return ordinary & finished[places], columns | {"text": texts.take(pa.array(places))}


def _texts(candidates: pa.StructArray) -> tuple[Mask, pa.StringArray]:
    """Which candidates are a finished text and nothing else, and the text: of all parts but thoughts, joined."""
    content, finish_reason, finish_message = candidates.flatten()
    (parts,) = content.flatten()
    text, thought, call = parts.values.flatten()
    offsets = parts.offsets.to_numpy()
    is_answer = ~pc.fill_null(thought, False).to_numpy(zero_copy_only=False)
    odd_before = _count_before(~_is_valid(text) | _is_valid(call))
    answer_offsets = _count_before(is_answer)[offsets]
    texts = text if is_answer.all() else text.filter(pa.array(is_answer))
    if not (np.diff(answer_offsets) == 1).all():
        texts = pc.binary_join(pa.ListArray.from_arrays(pa.array(answer_offsets, pa.int32()), texts), "")
    finished = pc.and_(pc.equal(finish_reason, "STOP"), pc.greater(pc.binary_length(texts), 0))
    ordinary = pc.fill_null(finished, False).to_numpy(zero_copy_only=False)
    return ordinary & ~_is_valid(finish_message) & (odd_before[offsets[1:]] == odd_before[offsets[:-1]]), texts


def _is_valid(array: pa.Array) -> Mask:
    return cast("Mask", array.is_valid().to_numpy(zero_copy_only=False))


def _count_before(mask: Mask) -> npt.NDArray[np.int64]:
    """For each place, and the one after the last, how many are set before it."""
    return np.concatenate(([0], np.cumsum(mask)))
