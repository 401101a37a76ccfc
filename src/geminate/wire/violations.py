"""A violation: one broken rule, where it was broken, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_QUOTED_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule.

    Attributes:
        rule: The rule's name; begins ``schema.``, ``import.``, ``limit.`` or ``json.``.
        message: What is wrong and what to do, in one sentence.
        path: The JSON path from the line's root, such as ``$.request.contents[0].role``; empty for the whole line.
        file: The file or URI, empty where there is none.
        line: The line's number from 1, or for prompts the row's; 0 where there is none.
        key: The prompt's key as text, None where it is unknown.
    """

    rule: str
    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    key: str | None = None


def brief(text: str) -> str:
    """A text as a message quotes it: cut where it is long."""
    return repr(text if len(text) <= _QUOTED_CHARS else text[: _QUOTED_CHARS - 3] + "…")
