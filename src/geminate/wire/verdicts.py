"""From one typed prediction to its outcome, its text and its error."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw

from geminate.wire.outcomes import FINISH_OUTCOMES, FINISHED, RETRYABLE, Outcome
from geminate.wire.predictions import Candidate, Part, Prediction, PromptFeedback, Response
from geminate.wire.statuses import RowError, decode_error, decode_status

_NOTHING = frozenset({b"", b"null", b"{}"})
_UNSET_BLOCK_REASONS = frozenset({None, "", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})
_NO_RESPONSE = "the prediction holds no response"


class Verdict(NamedTuple):
    """What one prediction says, before its answer is held against a schema."""

    outcome: str
    text: str | None
    function_calls: list[dict[str, str | None]] | None
    finish_reason: str | None
    block_reason: str | None
    error_code: int | None
    error_message: str | None
    retryable: bool


def judge(prediction: Prediction) -> Verdict:
    """The verdict; exactly one for whatever the prediction holds."""
    response = prediction.response or Response()
    candidate = (response.candidates or [Candidate()])[0]
    parts = (candidate.content and candidate.content.parts) or []
    feedback = response.prompt_feedback or PromptFeedback()
    block_reason = None if feedback.block_reason in _UNSET_BLOCK_REASONS else feedback.block_reason
    finish_reason = candidate.finish_reason or None
    error = _error(prediction)
    outcome = Outcome.FAILED if error else _outcome(block_reason, finish_reason, parts)
    reason = feedback.block_reason_message or candidate.finish_message
    reason = reason or (_NO_RESPONSE if prediction.response is None else None)
    return Verdict(
        outcome.value,
        "".join([part.text for part in parts if part.text and not part.thought]) or _empty_text(parts),
        _function_calls(parts),
        finish_reason,
        block_reason,
        error.code if error else None,
        error.message if error else reason,
        error.retryable if error else RETRYABLE[outcome],
    )


def _error(prediction: Prediction) -> RowError | None:
    status = (prediction.status or "").strip()
    if status:
        return decode_status(status)
    if prediction.error is None or prediction.status is not None or prediction.processed_time is not None:
        return None
    return decode_error({name: _loads(raw) for name, raw in prediction.error.items()})


def _outcome(block_reason: str | None, finish_reason: str | None, parts: list[Part]) -> Outcome:
    if block_reason is not None:
        return Outcome.BLOCKED
    if finish_reason not in FINISHED:
        return FINISH_OUTCOMES.get(finish_reason or "", Outcome.ABORTED)
    return Outcome.OK if any(map(_is_usable, parts)) else Outcome.EMPTY


def _is_usable(part: Part) -> bool:
    if part.thought:
        return False
    others = (part.inline_data, part.executable_code, part.code_execution_result)
    return bool(part.text) or part.function_call is not None or any(bytes(raw) not in _NOTHING for raw in others)


def _empty_text(parts: list[Part]) -> str | None:
    """An answer of no characters is an empty text; no text part at all is no text."""
    return "" if any(part.text is not None and not part.thought for part in parts) else None


def _function_calls(parts: list[Part]) -> list[dict[str, str | None]] | None:
    calls = [part.function_call for part in parts if part.function_call is not None and not part.thought]
    return [{"name": call.name, "args": _compact(call.args)} for call in calls] or None


def _compact(raw: Raw) -> str | None:
    text = bytes(raw)
    return None if text in {b"", b"null"} else msgspec.json.format(text, indent=-1).decode()


def _loads(raw: Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return bytes(raw).decode("utf-8", "replace")
