"""Which requests are equal to an earlier one: a leader is sent, its followers share its prediction."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

NO_LEADER = -1
"""Stands for the leader of a request that is sent itself, and of a row that has none."""

_HASH_BYTES = 16
# It stands once in a line: a quote inside the key would have a backslash before it.
_REQUEST_MEMBER = b'","request":'


class LeaderRegister:
    """Finds the first of equal requests by the bytes of their lines, the key left out; 24 bytes a different request.

    Bytes tell, so requests that only mean the same are different. Equal hashes of 128 bits are taken for equal bytes.
    """

    def __init__(self) -> None:
        # Sorted by the first halves; each at least twice as long as the next, so that there are few.
        self._runs: list[tuple[Hashes, Hashes, Rows]] = []
        self._rows = 0

    def add(self, lines: pa.LargeStringArray) -> Rows:
        """The leader of each line, as a row counted from 0 over all lines so far; ``NO_LEADER`` of one that has none.

        Args:
            lines: The next lines as a build makes them, null where a row has none.
        """
        present = np.flatnonzero(lines.is_valid().to_numpy(zero_copy_only=False))
        firsts, seconds = _hash_requests(lines.drop_null())
        rows = self._rows + present
        self._rows += len(lines)
        leaders = np.full(len(rows), NO_LEADER, np.int64)
        for run in self._runs:
            _look_up(run, firsts, seconds, leaders)
        new = np.flatnonzero(leaders == NO_LEADER)
        fresh, positions = np.unique(firsts[new], return_index=True)
        run = (fresh, seconds[new][positions], rows[new][positions])
        _look_up(run, firsts, seconds, leaders)
        leaders[leaders == rows] = NO_LEADER
        self._keep(run)
        found = np.full(len(lines), NO_LEADER, np.int64)
        found[present] = leaders
        return found

    def _keep(self, run: tuple[Hashes, Hashes, Rows]) -> None:
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            joined = [np.concatenate(pair) for pair in zip(self._runs.pop(), run, strict=True)]
            order = np.argsort(joined[0], kind="stable")
            run = (joined[0][order], joined[1][order], joined[2][order])
        self._runs.append(run)


def _look_up(run: tuple[Hashes, Hashes, Rows], firsts: Hashes, seconds: Hashes, leaders: Rows) -> None:
    """Nothing; what the run holds is among the leaders."""
    if len(run[0]):
        at = np.minimum(np.searchsorted(run[0], firsts), len(run[0]) - 1)
        hits = (run[0][at] == firsts) & (run[1][at] == seconds) & (leaders == NO_LEADER)
        leaders[hits] = run[2][at[hits]]


def _hash_requests(lines: pa.LargeStringArray) -> tuple[Hashes, Hashes]:
    hashes = b"".join(
        hashlib.blake2b(line[line.index(_REQUEST_MEMBER) :], digest_size=_HASH_BYTES).digest()
        for line in lines.cast(pa.large_binary()).to_pylist()
    )
    halves = np.frombuffer(hashes, np.uint64).reshape(-1, 2)
    return halves[:, 0].copy(), halves[:, 1].copy()


def without_followers(lines: pa.LargeStringArray, leaders: Rows) -> pa.LargeStringArray:
    """The lines that are sent, null where another one is sent for a row."""
    if (leaders == NO_LEADER).all():
        return lines
    return pc.if_else(pa.array(leaders == NO_LEADER), lines, None)
