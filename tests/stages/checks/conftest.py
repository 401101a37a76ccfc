import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from geminate.stages.checks import CheckOptions, iter_violations
from geminate.wire.lines import iter_line_blocks
from geminate.wire.violations import Violation


def encode(line: Any) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()


@pytest.fixture(scope="session")
def check_lines() -> Callable[..., list[Violation]]:
    """Checks lines, given as bytes or as values, as one file."""

    def check(lines: Iterable[Any], **options: Any) -> list[Violation]:
        data = b"\n".join(map(encode, lines))
        blocks = iter_line_blocks(data[start : start + 65536] for start in range(0, len(data), 65536))
        return list(iter_violations(blocks, file="f", options=CheckOptions(**options)))

    return check
