"""Which keys of a set stand on more than one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Hashes: TypeAlias = npt.NDArray[np.int64]


class KeyIndex:
    """The keys seen so far, as hashes in sorted runs.

    Takes 16 bytes a key. Two different keys are mistaken for one with a chance below one in a hundred million in a set
    of half a million keys; it grows with the square of their number.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[Hashes, Hashes]] = []

    def add(self, keys: Sequence[bytes], ordinals: Sequence[int]) -> list[tuple[int, int]]:
        """The keys seen before, in order: each one's index in ``keys``, and the ordinal it was first seen with.

        Args:
            keys: Further keys.
            ordinals: A rising number for each, kept to name it later.
        """
        if not keys:
            return []
        hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
        order = np.argsort(hashes, kind="stable")
        numbers = np.asarray(ordinals, np.int64)[order]
        hashes = hashes[order]
        # A stable sort keeps equal hashes in the order of their lines.
        is_first = np.ones(len(hashes), bool)
        is_first[1:] = hashes[1:] != hashes[:-1]
        first_seen = numbers[is_first][np.cumsum(is_first) - 1]
        is_new = is_first
        for run_hashes, run_numbers in self._runs:
            at = np.minimum(np.searchsorted(run_hashes, hashes), len(run_hashes) - 1)
            is_known = run_hashes[at] == hashes
            first_seen = np.where(is_known, run_numbers[at], first_seen)
            is_new = is_new & ~is_known
        self._insert(hashes[is_new], numbers[is_new])
        again = np.flatnonzero(first_seen != numbers)
        return sorted((int(order[index]), int(first_seen[index])) for index in again)

    def _insert(self, hashes: Hashes, numbers: Hashes) -> None:
        """Keeps every run at least twice as long as the next, so that there are few of them."""
        if not len(hashes):
            return
        self._runs.append((hashes, numbers))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            newer, older = self._runs.pop(), self._runs.pop()
            merged = np.concatenate([older[0], newer[0]])
            order = np.argsort(merged, kind="stable")
            self._runs.append((merged[order], np.concatenate([older[1], newer[1]])[order]))
