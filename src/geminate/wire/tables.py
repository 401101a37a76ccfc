"""The Arrow types of what a prediction gives: the columns of the joined rows, and of the table they come from."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import pyarrow as pa

from geminate.wire.canonical import FINGERPRINT_BYTES
from geminate.wire.content_types import CONTENT_TYPES
from geminate.wire.times import TIME_TYPE

DEFAULT_PREFIX = "gemini_"

CALLS_TYPE = pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("args", pa.string())]))
"""Function calls in the model's order; ``args`` is JSON text, since its members differ from call to call."""

FINGERPRINT_TYPE = pa.binary(FINGERPRINT_BYTES)

TOKEN_COLUMNS = (
    "prompt_tokens",
    "output_tokens",
    "thought_tokens",
    "cached_tokens",
    "tool_tokens",
    "total_tokens",
)

REPAIR_COLUMN = "repair"
"""Of decoded predictions whose answers are judged: what made a valid answer JSON."""

NO_ANSWER_TYPE = pa.string()
"""The type of ``answer`` where nothing says what an answer is; every value is null."""


OPTIONAL_COLUMNS = ("response", *CONTENT_TYPES)
"""The columns that stand last, in this order, where they are asked for."""


def prediction_fields(
    answer_type: pa.DataType | None = None, *, keep_response: bool = False, contents: Collection[str] = ()
) -> list[pa.Field]:
    """The fields that one prediction gives to its joined row, in the order of the joined row, without the prefix."""
    fields = [
        pa.field("outcome", pa.string()),
        pa.field("text", pa.string()),
        pa.field("answer", answer_type or NO_ANSWER_TYPE),
        pa.field("function_calls", CALLS_TYPE),
        pa.field("finish_reason", pa.string()),
        pa.field("block_reason", pa.string()),
        pa.field("error_code", pa.int32()),
        pa.field("error_message", pa.string()),
        pa.field("retryable", pa.bool_()),
        pa.field("attempt", pa.int32()),
        pa.field("duplicates", pa.int32()),
        *(pa.field(name, pa.int64()) for name in TOKEN_COLUMNS),
        pa.field("model_version", pa.string()),
        pa.field("response_id", pa.string()),
        pa.field("processed_time", TIME_TYPE),
        pa.field("job", pa.string()),
        pa.field("source", pa.string()),
    ]
    fields += [pa.field("response", pa.string())] if keep_response else []
    return fields + [pa.field(name, kind) for name, kind in CONTENT_TYPES.items() if name in contents]


# Known only once a prediction has been matched to its prompt.
_MATCHED = frozenset({"attempt", "duplicates", "job", "source"})


@cache
def decoded_schema(
    answer_type: pa.DataType | None = None,
    *,
    keep_response: bool = False,
    contents: tuple[str, ...] = (),
    with_fingerprint: bool = False,
    with_siblings: bool = False,
) -> pa.Schema:
    """The schema of decoded predictions, before they are matched to prompts.

    ``key`` is as its owner wrote it. ``siblings`` is a JSON object, and null where the line has none but its key, as
    text. ``line`` counts from 1, and ``offset`` is the line's first byte in its file.
    """
    fields = [pa.field("key", pa.string())]
    if with_fingerprint:
        fields.append(pa.field("fingerprint", FINGERPRINT_TYPE))
    given = prediction_fields(answer_type, keep_response=keep_response, contents=contents)
    fields += [field for field in given if field.name not in _MATCHED]
    if with_siblings:
        fields.append(pa.field("siblings", pa.string()))
    return pa.schema([*fields, pa.field("line", pa.int64()), pa.field("offset", pa.int64())])
