"""Numbers of which only the least, the likely and the most are known."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from geminate.wire.token_rates import Triple

Ranges = npt.NDArray[np.float64]
"""Ranges as the rows of three: the least, the likely and the most of each."""


class Range(NamedTuple):
    """One number: at least, likely, at most."""

    low: float
    likely: float
    high: float

    def plus(self, other: Triple) -> Self:
        """The range of the sum."""
        return type(self)(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def times(self, other: Triple) -> Self:
        """The range of the product of two numbers that are not negative."""
        return type(self)(*(mine * theirs for mine, theirs in zip(self, other, strict=True)))

    def over(self, other: Triple) -> Self:
        """The range of the quotient; the other is positive."""
        low, likely, high = other
        return type(self)(self.low / high, self.likely / likely, self.high / low)

    def within(self, least: float, most: float) -> Self:
        """The range, cut to what is possible."""
        return type(self)(*(min(max(end, least), most) for end in self))

    def rounded(self) -> Self:
        """The range in whole numbers."""
        return type(self)(*map(round, self))


NOTHING = Range(0, 0, 0)
