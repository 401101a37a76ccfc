"""Changes of a request line for another try, made in its bytes: what is not changed stays as it was written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import msgspec
from msgspec import Raw

from geminate.wire.outcomes import REMEDIES, Outcome

_Members = dict[str, Raw]


@dataclass(frozen=True, slots=True)
class Changes:
    """What of ``generationConfig`` shall be otherwise.

    Attributes:
        max_output_tokens: ``maxOutputTokens``, or twice what they are up to what the model gives; never fewer.
        thinking_budget: ``thinkingBudget``, in place of a thinking level too.
        temperature: ``temperature``.
        seed: ``seed``.
    """

    max_output_tokens: int | Literal["double"] | None = None
    thinking_budget: int | None = None
    temperature: float | None = None
    seed: int | None = None

    def suited_to(self, outcome: Outcome) -> Changes:
        """Those of the changes that may help a prompt with this outcome."""
        helpful = REMEDIES[outcome].changes
        return replace(self, **{name: None for name in asdict(self) if name not in helpful})

    def named(self) -> dict[str, Any]:
        """The changes that there are, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def change_line(line: bytes, changes: Changes, max_tokens: int) -> bytes:
    """The request line with the changes; the very same bytes where they change nothing.

    A line without ``maxOutputTokens`` had all that the model can give, so it gets none.

    Args:
        line: The line, without its end.
        changes: What to change.
        max_tokens: How many output tokens the model can give.

    Raises:
        msgspec.MsgspecError: It is not a request line.
    """
    members = msgspec.json.decode(line, type=_Members)
    request = msgspec.json.decode(members["request"], type=_Members)
    name = "generation_config" if "generation_config" in request else "generationConfig"
    before = _members(request.get(name))
    config = dict(before)
    if changes.max_output_tokens is not None:
        _raise_limit(config, changes.max_output_tokens, max_tokens)
    if changes.thinking_budget is not None:
        thinking = _take(config, "thinkingConfig", "thinking_config")
        kept = {key: value for key, value in _members(thinking).items() if key not in _THINKING_KEYS}
        config["thinkingConfig"] = _raw({**kept, "thinkingBudget": changes.thinking_budget})
    for key, value in (("temperature", changes.temperature), ("seed", changes.seed)):
        if value is not None:
            config[key] = _raw(value)
    if {key: bytes(value) for key, value in config.items()} == {key: bytes(value) for key, value in before.items()}:
        return line
    request[name] = _raw(config)
    members["request"] = _raw(request)
    return msgspec.json.encode(members)


_THINKING_KEYS = frozenset({"thinkingBudget", "thinking_budget", "thinkingLevel", "thinking_level"})


def _raise_limit(config: _Members, wanted: int | Literal["double"], max_tokens: int) -> None:
    name = "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"
    if name not in config:
        return
    before = msgspec.json.decode(config[name])
    if not isinstance(before, int):
        return
    after = min(2 * before, max_tokens) if wanted == "double" else wanted
    if after > before:
        config[name] = _raw(after)


def _take(config: _Members, *names: str) -> Raw | None:
    found = [config.pop(name) for name in names if name in config]
    return found[0] if found else None


def _members(raw: Raw | None) -> _Members:
    return {} if raw is None else msgspec.json.decode(raw, type=_Members | None) or {}


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
