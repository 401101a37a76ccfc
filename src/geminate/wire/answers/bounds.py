"""The least and the greatest number that a flat node allows."""

from __future__ import annotations

import math
from typing import NamedTuple

from geminate.wire.answers.merge import Node

Number = int | float


class Bounds(NamedTuple):
    """Both ends of a range; None where it has no end.

    Attributes:
        least: The lower end.
        greatest: The upper end.
        above: Whether the lower end itself is left out.
        below: Whether the upper end itself is left out.
    """

    least: Number | None = None
    greatest: Number | None = None
    above: bool = False
    below: bool = False


def bounds_of(node: Node) -> Bounds:
    """The node's range: for ``integer`` in whole numbers with both ends in, else with the ends as they are."""
    least, above = _tighter(node.get("minimum"), node.get("exclusiveMinimum"), sign=1)
    greatest, below = _tighter(node.get("maximum"), node.get("exclusiveMaximum"), sign=-1)
    if node.get("type") != "integer":
        return Bounds(_whole(least), _whole(greatest), above, below)
    if least is not None:
        least = math.floor(least) + 1 if above else math.ceil(least)
    if greatest is not None:
        greatest = math.ceil(greatest) - 1 if below else math.floor(greatest)
    return Bounds(least, greatest)


def runs_of(values: list[Number]) -> list[tuple[Number, Number]]:
    """The values as ranges, ascending: whole numbers that follow each other in one, any other value alone."""
    runs: list[tuple[Number, Number]] = []
    whole = [_whole(value) for value in values]
    for value in sorted({value for value in whole if value is not None}):
        if runs and isinstance(value, int) and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _tighter(inclusive: Number | None, exclusive: Number | None, *, sign: int) -> tuple[Number | None, bool]:
    if exclusive is None or (inclusive is not None and sign * inclusive > sign * exclusive):
        return inclusive, False
    return exclusive, True


def _whole(value: Number | None) -> Number | None:
    # The service echoes 1.0 as 1, so a bound is written as it will come back.
    return int(value) if isinstance(value, float) and value.is_integer() else value
