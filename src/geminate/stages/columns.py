"""Decoded predictions to Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from geminate.stages.contents import content_columns
from geminate.stages.reading import AnswerJudge, ReadOptions
from geminate.wire.canonical import fingerprint
from geminate.wire.keys import decode_keys
from geminate.wire.leniency import decode_leniently
from geminate.wire.outcomes import RETRYABLE, Outcome
from geminate.wire.predictions import Prediction, Response, Usage
from geminate.wire.tables import CALLS_TYPE, FINGERPRINT_TYPE, NO_ANSWER_TYPE, REPAIR_COLUMN, TOKEN_COLUMNS
from geminate.wire.times import decode_times
from geminate.wire.verdicts import Verdict, judge

_NO_RESPONSE = Response()
_NO_USAGE = Usage()

# What most predictions say: a text, and nothing out of the ordinary. Such rows go without a verdict of their own.
_PLAIN = Verdict(Outcome.OK.value, None, None, "STOP", None, None, None, RETRYABLE[Outcome.OK])
_VERDICT_TYPES = {
    "outcome": pa.string(),
    "function_calls": CALLS_TYPE,
    "finish_reason": pa.string(),
    "block_reason": pa.string(),
    "error_code": pa.int32(),
    "error_message": pa.string(),
    "retryable": pa.bool_(),
}


def build_columns(predictions: list[Prediction], lines: list[bytes], reading: ReadOptions) -> dict[str, pa.Array]:
    """The columns of ``reading.schema`` by name, one value for each prediction, but for its place and its answer."""
    predictions, texts, verdicts = _verdicts(predictions, lines, reading.key_name)
    columns = {"text": pa.array(texts, pa.string())}
    for name, kind in _VERDICT_TYPES.items():
        columns[name] = _column(name, kind, len(predictions), verdicts)
    return columns | _response_columns(predictions) | line_columns(predictions, reading)


def ordinary_verdicts(length: int) -> dict[str, pa.Array]:
    """The columns that are the same for all predictions that are one finished text."""
    return {name: _column(name, kind, length, {}) for name, kind in _VERDICT_TYPES.items()}


def line_columns(lines: Sequence[Any], reading: ReadOptions) -> dict[str, pa.Array]:
    """What stands beside the response on each line; a few columns are there only if they are wanted.

    Args:
        lines: Predictions, or whatever has those of their members that are wanted.
        reading: What is wanted.
    """
    columns = {"key": decode_keys(pa.array([line.key for line in lines], pa.string()))}
    columns["processed_time"] = decode_times(pa.array([line.processed_time for line in lines], pa.string()))
    if reading.fingerprints != "none":
        columns["fingerprint"] = _fingerprints(lines, keyless_only=reading.fingerprints == "keyless")
    if reading.keep_response:
        columns["response"] = _json_column([line.response_json for line in lines])
    if reading.with_siblings:
        columns["siblings"] = _json_column([line.siblings for line in lines])
    if reading.contents:
        columns |= content_columns([line.response_json for line in lines], reading.contents)
    return columns


def _verdicts(
    predictions: list[Prediction], lines: list[bytes], key_name: str | None
) -> tuple[list[Prediction], list[str | None], dict[int, Verdict]]:
    """The predictions, some of them read again leniently, their texts, and verdicts on those that are not plain."""
    texts: list[str | None] = []
    verdicts: dict[int, Verdict] = {}
    predictions = list(predictions)
    for at, prediction in enumerate(predictions):
        text = _plain_text(prediction)
        if text is None:
            if _is_incomplete(prediction):
                again = decode_leniently(lines[at], key_name)
                predictions[at] = again if isinstance(again, Prediction) else prediction
            verdicts[at] = judge(predictions[at])
            text = verdicts[at].text
        texts.append(text)
    return predictions, texts, verdicts


def _plain_text(prediction: Prediction) -> str | None:
    """The text of a prediction that is one finished text and nothing else; None for any other.

    Anything the strict decoder may have passed over, such as a snake_case name, leaves a gap that shows here.
    """
    response = prediction.response
    if prediction.status or prediction.error is not None or response is None:
        return None
    if not response.candidates or response.prompt_feedback is not None or response.model_version is None:
        return None
    candidate, usage = response.candidates[0], response.usage_metadata
    if (
        candidate.finish_reason != "STOP"
        or candidate.finish_message
        or usage is None
        or usage.prompt_token_count is None
    ):
        return None
    content = candidate.content
    if content is None or content.parts is None or len(content.parts) != 1:
        return None
    part = content.parts[0]
    return None if part.thought or part.function_call is not None else part.text or None


def _is_incomplete(prediction: Prediction) -> bool:
    """Whether the line may hold more than the strict decoder found.

    It has found all where the service said that the row failed, and where nothing is missing that the service always
    writes; thoughts and answers in several parts are as complete as any other.
    """
    response = prediction.response
    if prediction.status or prediction.error is not None:
        return False
    if response is None or not response.candidates or response.model_version is None:
        return True
    candidate, usage = response.candidates[0], response.usage_metadata
    if candidate.finish_reason is None or usage is None or usage.prompt_token_count is None:
        return True
    parts = candidate.content.parts if candidate.content else None
    return not parts or any(part.text is None and part.function_call is None for part in parts)


def _column(name: str, kind: pa.DataType, length: int, verdicts: dict[int, Verdict]) -> pa.Array:
    plain = getattr(_PLAIN, name)
    if not verdicts:
        return pa.nulls(length, kind) if plain is None else pa.repeat(pa.scalar(plain, kind), length)
    values = [plain] * length
    for at, verdict in verdicts.items():
        values[at] = getattr(verdict, name)
    return pa.array(values, kind)


def _response_columns(predictions: list[Prediction]) -> dict[str, pa.Array]:
    responses = [prediction.response or _NO_RESPONSE for prediction in predictions]
    usages = [astuple(response.usage_metadata or _NO_USAGE) for response in responses]
    tokens: list[Any] = list(zip(*usages, strict=True)) or [()] * len(TOKEN_COLUMNS)
    return {
        **{name: pa.array(counts, pa.int64()) for name, counts in zip(TOKEN_COLUMNS, tokens, strict=True)},
        "model_version": pa.array([response.model_version for response in responses], pa.string()),
        "response_id": pa.array([response.response_id for response in responses], pa.string()),
    }


def _fingerprints(lines: Sequence[Any], *, keyless_only: bool) -> pa.Array:
    values = [None if (keyless_only and line.key is not None) else fingerprint(line.request) for line in lines]
    return pa.array(values, FINGERPRINT_TYPE)


def _json_column(raws: list[Any]) -> pa.Array:
    texts = [None if text in {b"", b"null"} else text for text in map(bytes, raws)]
    return pa.array(texts, pa.binary()).cast(pa.string())


def judge_answers(columns: dict[str, pa.Array], answer: AnswerJudge | None) -> dict[str, pa.Array]:
    """The columns that change once the texts of ``ok`` predictions are held against the answer schema.

    An ``ok`` prediction without text, such as a function call, has no answer to judge and stays ``ok``.
    """
    if answer is None:
        return {"answer": pa.nulls(len(columns["text"]), NO_ANSWER_TYPE)}
    asked = pc.and_(pc.equal(columns["outcome"], Outcome.OK.value), pc.is_valid(columns["text"]))
    rows = pc.indices_nonzero(asked)
    judged = answer.judge_texts(columns["text"].take(rows))
    back = np.full(len(asked), -1, np.int64)
    back[rows.to_numpy()] = np.arange(len(rows))
    places = pa.array(back, mask=back < 0)
    problems = pa.array(judged.problems, pa.string()).take(places)
    invalid = pc.is_valid(problems)
    return {
        "answer": judged.answers.take(places),
        REPAIR_COLUMN: pc.if_else(invalid, None, pa.array(judged.repairs, pa.string()).take(places)),
        "outcome": pc.if_else(invalid, Outcome.INVALID_ANSWER.value, columns["outcome"]),
        "error_message": pc.coalesce(problems, columns["error_message"]),
        "retryable": pc.if_else(invalid, RETRYABLE[Outcome.INVALID_ANSWER], columns["retryable"]),
    }
