"""Lines that differ from one before only where no rule looks: known by their constant parts, many of them at once.

A mould is a good line with holes. It is cast from lines of one shape, and has a hole wherever they differ: between the
quotes of a string, or between two strings, where a number stands. A line that has the same bytes around the holes, and
in each hole what can stand there, is strict JSON and has the same structure as the lines the mould was cast from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from geminate.stages.checks.cutting import CutLines, Flags, Positions

ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
"""Makes all digits one."""

# Where a number begins that has several digits before its point, among digits made alike: none of these may be 0.
_LEADING_DIGIT: Final = re.compile(rb"(?<![0-9.eE+])(?<![eE]-)0(?=0)")
_ZERO: Final = ord("0")

Test: TypeAlias = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Mould:
    """A line with holes.

    Attributes:
        quote_count: How many quotes begin or end a string.
        holes: The positions of the pieces that are holes, the line being cut at these quotes, with what must hold of
            what stands there.
        constants: What stands before, between and behind the holes.
        key_at: The position of the piece that holds the key, -1 where lines have none.
    """

    quote_count: int
    holes: tuple[tuple[int, Test | None], ...]
    constants: tuple[bytes, ...]
    key_at: int

    def fit(self, lines: CutLines) -> tuple[Positions, list[bytes]]:
        """Which of the lines fit, and what stands where each one's key does, empty where lines have none."""
        rows = np.flatnonzero(lines.is_sound & (np.diff(lines.first_quotes) == self.quote_count))
        quotes = lines.quotes[lines.first_quotes[rows][:, None] + np.arange(self.quote_count)]
        # The piece at a position lies between the bounds at it and behind it, neither of them included.
        bounds = np.column_stack([lines.starts[rows] - 1, quotes, lines.ends[rows]])
        for fits in (self._have_lengths, self._have_constants, self._pass_tests):
            if rows.size:
                is_fit = fits(lines.data, bounds)
                rows, bounds = rows[is_fit], bounds[is_fit]
        return rows, _pieces(lines.data, bounds, self.key_at) if self.key_at >= 0 else [b""] * len(rows)

    def _have_lengths(self, _: bytes, bounds: Positions) -> Flags:
        fits = np.ones(len(bounds), np.bool_)
        for constant, (begins, ends) in zip(self.constants, self._constant_bounds(bounds), strict=True):
            fits &= ends - begins == len(constant)
        return fits

    def _have_constants(self, data: bytes, bounds: Positions) -> Flags:
        fits = np.ones(len(bounds), np.bool_)
        for constant, (begins, _) in zip(self.constants, self._constant_bounds(bounds), strict=True):
            size = len(constant)
            # Every place of the data as one item of the constant's length, so that taking some copies them whole.
            windows: npt.NDArray[np.void] = np.ndarray(len(data) - size + 1, f"V{size}", data, strides=(1,))
            found = windows[begins]
            if found.tobytes() != constant * len(begins):
                values = found.view(np.uint8).reshape(len(begins), size)
                fits &= (values == np.frombuffer(constant, np.uint8)).all(axis=1)
        return fits

    def _pass_tests(self, data: bytes, bounds: Positions) -> Flags:
        fits = np.ones(len(bounds), np.bool_)
        for at, test in self.holes:
            if test is bool:
                fits &= bounds[:, at + 1] - bounds[:, at] > 1
            elif test is not None:
                fits &= np.fromiter((bool(test(piece)) for piece in _pieces(data, bounds, at)), np.bool_, len(bounds))
        return fits

    def _constant_bounds(self, bounds: Positions) -> Iterable[tuple[Positions, Positions]]:
        """Where each constant begins and ends in every line; the quotes around a hole belong to the constants."""
        begins = bounds[:, 0] + 1
        for at, _ in self.holes:
            yield begins, bounds[:, at] + 1 if at else begins
            begins = bounds[:, at + 1]
        yield begins, bounds[:, -1]


def cast_mould(pieces: Sequence[bytes], holes_at: Iterable[int], tests: dict[int, Test], key_at: int) -> Mould:
    """A mould of a line of a known shape.

    Args:
        pieces: The line cut at the quotes of its strings, pieces as long as in the line itself.
        holes_at: The positions of pieces that may differ; that of the key is one of them in any case.
        tests: What pieces must pass that rules look at, by position.
        key_at: The position of the piece that holds the key, -1 where there is none.
    """
    places = sorted({*holes_at, key_at} - {-1})
    constants = [
        b'"'.join([b""] * (before >= 0) + [*pieces[before + 1 : behind]] + [b""] * (behind < len(pieces)))
        for before, behind in pairwise([-1, *places, len(pieces)])
    ]
    holes = tuple((at, tests.get(at) if at % 2 else _number_test(pieces[at])) for at in places)
    return Mould(len(pieces) - 1, holes, tuple(constants), key_at)


def _pieces(data: bytes, bounds: Positions, at: int) -> list[bytes]:
    begins, ends = (bounds[:, at] + 1).tolist(), bounds[:, at + 1].tolist()
    return [data[begin:end] for begin, end in zip(begins, ends, strict=True)]


def _number_test(piece: bytes) -> Test:
    alike = piece.translate(ALIKE)
    leading = [found.start() for found in _LEADING_DIGIT.finditer(alike)]
    return partial(_is_alike, alike, leading)


def _is_alike(alike: bytes, leading: list[int], found: bytes) -> bool:
    return found.translate(ALIKE) == alike and all(found[at] != _ZERO for at in leading)
