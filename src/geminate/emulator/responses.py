"""A whole ``GenerateContentResponse`` from what an answerer gave, and the bent ones that real jobs hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from geminate.emulator.answers import iter_parts, pick
from geminate.emulator.statuses import RowError

Response = dict[str, Any]

_CHARS_PER_TOKEN = 4
_MEDIA_TOKENS = 258
_THOUGHT = "Weighing what is asked before answering."


@dataclass(frozen=True, slots=True)
class Origin:
    """What a response says of where it comes from.

    Attributes:
        model_version: The model's name.
        create_time: When it was asked.
        response_id: The response's own name.
    """

    model_version: str
    create_time: str
    response_id: str


def complete_response(answered: Any, request: Mapping[str, Any], origin: Origin) -> Response:
    """The response for an answer: text becomes a candidate, a response of the answerer's is kept as it is.

    Token counts are an estimate of four characters each; text longer than ``maxOutputTokens`` is cut there.

    Raises:
        RowError: The answerer gave an error, or something that is no answer.
        Exception: The answerer gave one.
    """
    if isinstance(answered, Exception):
        raise answered
    if isinstance(answered, Mapping) and "error" in answered:
        error = answered["error"] if isinstance(answered["error"], Mapping) else {"message": str(answered["error"])}
        code = error.get("code")
        raise RowError(
            code if isinstance(code, int) else 500, str(error.get("status", "INTERNAL")), str(error.get("message", ""))
        )
    if isinstance(answered, str):
        response = _text_response(answered, pick(pick(request, "generationConfig"), "maxOutputTokens"))
    elif isinstance(answered, Mapping):
        response = dict(answered)
    else:
        raise RowError(500, "INTERNAL", f"The answerer gave {type(answered).__name__}, not a text or a response.")
    response.setdefault("createTime", origin.create_time)
    response.setdefault("modelVersion", origin.model_version)
    response.setdefault("responseId", origin.response_id)
    response.setdefault("usageMetadata", _usage(request, response))
    return dict(sorted(response.items()))


def _text_response(text: str, max_tokens: Any) -> Response:
    cut = isinstance(max_tokens, (int, float)) and _tokens(text) > max_tokens
    text = text[: int(max_tokens) * _CHARS_PER_TOKEN] if cut else text
    content: Response = {"parts": [{"text": text}], "role": "model"}
    return {"candidates": [{"content": content, "finishReason": "MAX_TOKENS" if cut else "STOP"}]}


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARS_PER_TOKEN)


def _usage(request: Mapping[str, Any], response: Response) -> dict[str, Any]:
    prompt: dict[str, int] = {}
    for part in iter_parts(request):
        media = pick(part, "fileData") or pick(part, "inlineData")
        kind = str(pick(media, "mimeType") or "document/").partition("/")[0].upper() if media else "TEXT"
        modality = kind if kind in {"TEXT", "IMAGE", "VIDEO", "AUDIO"} else "DOCUMENT"
        tokens = _MEDIA_TOKENS if media else _tokens(str(part.get("text") or ""))
        prompt[modality] = prompt.get(modality, 0) + tokens
    contents = [pick(candidate, "content") for candidate in response.get("candidates") or ()]
    parts = [part for content in contents for part in (pick(content, "parts") or ()) if isinstance(part, Mapping)]
    output = sum(_tokens(str(part.get("text") or part.get("functionCall") or "")) for part in parts)
    usage: dict[str, Any] = {"promptTokenCount": sum(prompt.values()), "promptTokensDetails": _details(prompt)}
    if parts:
        usage |= {"candidatesTokenCount": output, "candidatesTokensDetails": _details({"TEXT": output})}
    usage |= {"totalTokenCount": usage["promptTokenCount"] + output, "trafficType": "ON_DEMAND"}
    return dict(sorted(usage.items()))


def _details(tokens: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in sorted(tokens.items())]


def bend_response(response: Response, bend: str) -> Response:
    """The response as a finish reason, a block reason or one of ``BENDS`` would have left it."""
    usage = dict(response.get("usageMetadata") or {})
    for name in ("candidatesTokenCount", "candidatesTokensDetails"):
        usage.pop(name, None)
    usage["totalTokenCount"] = usage.get("promptTokenCount", 0)
    bare = {**response, "usageMetadata": usage}
    if bend in _BENDS:
        return _BENDS[bend](response, bare)
    return bare | {"candidates": [{"finishReason": bend}]}


def _blocked(_response: Response, bare: Response) -> Response:
    rest = {name: value for name, value in bare.items() if name != "candidates"}
    return rest | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}


def _safety(_response: Response, bare: Response) -> Response:
    rating = {"blocked": True, "category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH"}
    return bare | {"candidates": [{"finishReason": "SAFETY", "safetyRatings": [rating]}]}


def _empty(_response: Response, bare: Response) -> Response:
    content = {"parts": [{"text": ""}], "role": "model"}
    return bare | {"candidates": [{"content": content, "finishReason": "STOP"}]}


def _cut(response: Response, _bare: Response) -> Response:
    text = _text(response)
    return _with_parts(response, [{"text": text[: len(text) // 2]}], "MAX_TOKENS")


def _only_thoughts(_response: Response, bare: Response) -> Response:
    thoughts = _tokens(_THOUGHT)
    usage = bare["usageMetadata"] | {"thoughtsTokenCount": thoughts}
    usage["totalTokenCount"] += thoughts
    return bare | {
        "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": dict(sorted(usage.items())),
    }


def _invalid_json(response: Response, _bare: Response) -> Response:
    return _with_parts(response, [{"text": f"```json\n{_text(response)}\n"}], "STOP")


def _split(response: Response, _bare: Response) -> Response:
    text = _text(response)
    half = len(text) // 2
    last = {"text": text[half:], "thoughtSignature": "ZW11bGF0ZWQ="}
    return _with_parts(response, [{"text": _THOUGHT, "thought": True}, {"text": text[:half]}, last], "STOP")


_BENDS: dict[str, Callable[[Response, Response], Response]] = {
    "BLOCKED": _blocked,
    "SAFETY": _safety,
    "EMPTY": _empty,
    "MAX_TOKENS": _cut,
    "ONLY_THOUGHTS": _only_thoughts,
    "INVALID_JSON": _invalid_json,
    "SPLIT": _split,
}
BENDS = frozenset(_BENDS)
"""The words that bend a response in a way of their own; every other word is a finish reason without content."""


def _text(response: Response) -> str:
    candidates = response.get("candidates") or [{}]
    return "".join(str(part.get("text", "")) for part in pick(pick(candidates[0], "content"), "parts") or ())


def _with_parts(response: Response, parts: list[dict[str, Any]], finish_reason: str) -> Response:
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": finish_reason}
    return {**response, "candidates": [candidate]}
