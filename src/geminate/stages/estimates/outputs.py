"""How much a model may write for a request, by its settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from geminate.stages.estimates.answers import answer_tokens
from geminate.stages.estimates.ranges import NOTHING, Range
from geminate.wire.token_rates import OutputRates, output_file, output_rates
from geminate.wire.tokens import count_tokens

_SEARCH_TOOLS = ("googleSearch", "googleSearchRetrieval", "googleMaps", "enterpriseWebSearch")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a request's settings and tools say of its cost.

    Attributes:
        output: The tokens that the model may write, thoughts included.
        resolution: How closely media are looked at, empty where that is left to the model.
        input: The tokens of the tools and the answer schema, which the model reads.
        bounded: Whether the request itself bounds what the model may write.
        searches: Whether it has a tool that is billed by its use.
    """

    output: Range
    resolution: str
    input: Range
    bounded: bool
    searches: bool


class OutputTokens:
    """Reads settings for one model."""

    def __init__(self, model: str) -> None:
        self._file = output_file()
        self._rates: OutputRates = output_rates(model)

    def read(self, generation_config: bytes, tools: bytes) -> Settings:
        """What these settings and tools, as JSON, say; either may be empty."""
        config = _object(generation_config)
        schema = _answer_schema(config)
        limit = config.get("maxOutputTokens")
        most = min(limit, self._rates.max_tokens) if isinstance(limit, int) else self._rates.max_tokens
        candidates = config.get("candidateCount")
        candidates = candidates if isinstance(candidates, int) and candidates > 0 else 1
        answer = Range(1, self._file.likely_answer_tokens, math.inf) if schema is None else answer_tokens(schema)
        if "IMAGE" in (config.get("responseModalities") or ("IMAGE",) * self._rates.images):
            answer = Range(1, self._file.image_tokens, math.inf)
        thoughts = self._thoughts(config.get("thinkingConfig") or {})
        output = answer.times((1, candidates, candidates)).plus(thoughts).within(1, most * candidates)
        return Settings(
            output=output,
            resolution=config.get("mediaResolution") or "",
            # A schema is documented to count as input; no usage that was seen here tells.
            input=_text_tokens(tools).plus(
                _text_tokens(b"" if schema is None else msgspec.json.encode(schema))._replace(low=0)
            ),
            bounded=isinstance(limit, int) or answer.plus(thoughts).high < most,
            searches=any(f'"{name}"'.encode() in tools for name in _SEARCH_TOOLS),
        )

    def _thoughts(self, thinking: dict[str, Any]) -> Range:
        able = self._rates.thinking
        budget = thinking.get("thinkingBudget")
        if able is None or budget == 0:
            return NOTHING
        if isinstance(budget, int) and budget > 0:
            return Range(0, min(able.likely, budget), budget)
        likely = self._file.levels.get(str(thinking.get("thinkingLevel", "")).upper(), able.likely)
        asked = budget is not None or "thinkingLevel" in thinking
        return Range(0, likely, able.most) if asked or able.unasked else NOTHING


def _answer_schema(config: dict[str, Any]) -> Any:
    """The answer schema in whichever form, None where there is none."""
    for name in ("responseSchema", "responseJsonSchema"):
        if config.get(name) is not None:
            return config[name]
    for form in config.get("responseFormat") or ():
        schema = form.get("text", {}).get("schema")
        if schema is not None:
            return schema
    return None


def _text_tokens(text: bytes) -> Range:
    likely, spread = count_tokens(pa.array([text.decode()], pa.large_string()))
    return Range(*(float(likely[0] + spread[0] * sign) for sign in (-1, 0, 1)))


def _object(raw: bytes) -> dict[str, Any]:
    value = msgspec.json.decode(raw) if raw else None
    return value if isinstance(value, dict) else {}
