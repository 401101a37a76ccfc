"""Which lines a job writes, and in which order: its rows', or those of a file that is replayed."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable
from pathlib import Path
from random import Random

import msgspec

from geminate.emulator.faults import JobFault
from geminate.emulator.rows import is_chosen
from geminate.wire.lines import iter_line_blocks

_PIECE_BYTES = 256 * 1024


def plan_lines(tokens: Iterable[int], job_id: str, fault: JobFault) -> array[int]:
    """The rows in the order of their lines: twice the row, and one more for a foreign row beside it."""
    plan = array("Q")
    for row, token in enumerate(tokens):
        if not is_chosen(token, "missing", fault.missing):
            plan.append(2 * row)
        if is_chosen(token, "doubled", fault.doubled):
            plan.append(2 * row)
        if is_chosen(token, "orphaned", fault.orphaned):
            plan.append(2 * row + 1)
    in_order = plan[:]
    Random(job_id).shuffle(plan)  # noqa: S311 - a deterministic order, nothing secret
    if plan == in_order and len(plan) > 1:
        # The service has never been seen to keep the order, so neither is it kept by chance.
        plan.append(plan.pop(0))
    return plan


def iter_replayed(path: Path) -> Generator[tuple[bytes, bool], None, None]:
    """The lines of a file of predictions, each with whether it is one of a success."""
    with path.open("rb") as file:
        for block in iter_line_blocks(iter(lambda: file.read(_PIECE_BYTES), b"")):
            for line in block.lines:
                if line.strip():
                    yield line, _is_good(line)


class _Result(msgspec.Struct):
    status: str = ""


def _is_good(line: bytes) -> bool:
    try:
        return not msgspec.json.decode(line, type=_Result).status
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
