"""Where in a line something stands."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

Path: TypeAlias = "tuple[Path, str | int] | None"
"""The way from the root, as steps linked to the step before; None is the root. Costs one pair a step."""

_SHOWN_CHARS = 128
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def render_path(path: Path) -> str:
    """The path as text, such as ``$.request.contents[0].role``; odd names in brackets, long ones cut."""
    steps: list[str] = []
    while path is not None:
        path, step = path
        if isinstance(step, int):
            steps.append(f"[{step}]")
            continue
        if len(step) > _SHOWN_CHARS:
            step = step[:_SHOWN_CHARS] + "…"
        if _PLAIN_NAME.fullmatch(step):
            steps.append(f".{step}")
        else:
            steps.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "$" + "".join(reversed(steps))
