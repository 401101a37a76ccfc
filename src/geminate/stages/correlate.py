"""Which prompt each prediction belongs to: by its key, else by its request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.match import NO_ROW, EqualRequests, Hashes, MatchIndex, Rows, hash_keys, split_fingerprints
from geminate.wire.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Found:
    """The prompts of some predictions.

    Attributes:
        rows: The row of each prediction's prompt, ``NO_ROW`` for one of no prompt.
        suspects: For predictions, by position, whose request is not that of the prompt with their key: the row of a
            prompt with that request, ``NO_ROW`` if no prompt has it.
    """

    rows: Rows
    suspects: dict[int, int]


class PromptIndex:
    """Finds prompts by key, and where a prediction has none, by its request.

    Args:
        keys: The rows by the hash of their key.
        exact: The rows by key, for keys whose hash is not theirs alone.
        firsts: The first halves of the fingerprints by row, 0 where a prompt has none; empty if none has any.
        seconds: The second halves.
    """

    def __init__(self, keys: MatchIndex, exact: dict[str, int], firsts: Hashes, seconds: Hashes) -> None:
        self._keys = keys
        self._exact = exact
        self._firsts = firsts
        self._seconds = seconds
        self._requests: MatchIndex | None = None
        self._equal_requests: EqualRequests | None = None

    def find(self, predictions: pa.RecordBatch, *, cross_check: bool = True) -> Found:
        """The prompts of the predictions, which have to come in the order in which they arrived."""
        keys = predictions.column("key")
        rows = self._find_keys(keys)
        if "fingerprint" not in predictions.schema.names or not self._firsts.any():
            return Found(rows, {})
        firsts, seconds = split_fingerprints(predictions.column("fingerprint"))
        suspects = self._find_suspects(rows, firsts, seconds) if cross_check else {}
        keyless = np.flatnonzero(keys.is_null().to_numpy(zero_copy_only=False) & (firsts != 0))
        if len(keyless):
            ok = pc.equal(predictions.column("outcome"), Outcome.OK.value).to_numpy(zero_copy_only=False)[keyless]
            self._equal_requests = self._equal_requests or EqualRequests(self._request_index())
            found = self._equal_requests.rows(firsts[keyless], ok)
            rows[keyless] = np.where(self._seconds[found] == seconds[keyless], found, NO_ROW)
        return Found(rows, suspects)

    def _find_keys(self, keys: pa.StringArray) -> Rows:
        groups = self._keys.find(hash_keys(keys))
        rows = self._keys.first_rows(groups)
        for at in np.flatnonzero(self._keys.is_shared(groups)):
            rows[at] = self._exact.get(keys[at].as_py(), NO_ROW)
        return rows

    def _find_suspects(self, rows: Rows, firsts: Hashes, seconds: Hashes) -> dict[int, int]:
        known = np.flatnonzero((rows != NO_ROW) & (firsts != 0))
        known = known[self._firsts[rows[known]] != 0]
        at_row = rows[known]
        differ = (self._firsts[at_row] != firsts[known]) | (self._seconds[at_row] != seconds[known])
        suspects = known[differ]
        if not len(suspects):
            return {}
        index = self._request_index()
        return dict(zip(suspects.tolist(), index.first_rows(index.find(firsts[suspects])).tolist(), strict=True))

    def _request_index(self) -> MatchIndex:
        """Made only when it is needed: most joins have a key on every line."""
        if self._requests is None:
            self._requests = MatchIndex(self._firsts)
        return self._requests
