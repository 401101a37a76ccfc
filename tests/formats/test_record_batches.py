import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from geminate.formats.record_batches import Numbered, iter_numbered, iter_packed


@given(
    st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=8),
    st.integers(1, 10),
    st.integers(1, 100),
    st.booleans(),
)
def test_packing_keeps_rows_numbers_and_bounds(parts, max_rows, max_bytes, gaps):
    given_parts, number = [], 1
    for sizes in parts:
        numbers = range(number, number + len(sizes))
        number += len(sizes) + gaps
        record_batch = pa.record_batch({"t": pa.array(["x" * size for size in sizes], pa.string())})
        given_parts.append(Numbered(record_batch, np.array(numbers) if gaps and number % 2 else numbers))
    packed = list(iter_packed(given_parts, max_rows, max_bytes))

    def flat(some):
        return [(int(n), len(t)) for p in some for n, t in zip(p.numbers, p.record_batch["t"].to_pylist(), strict=True)]

    assert flat(packed) == flat(given_parts)
    for part in packed:
        assert 0 < part.record_batch.num_rows <= max_rows
        assert part.record_batch.nbytes <= max_bytes or part.record_batch.num_rows == 1


def test_rows_are_put_together_as_far_as_the_bounds_allow():
    rows = iter_numbered(pa.table({"a": range(10_000)}).to_batches(max_chunksize=10))
    assert [part.record_batch.num_rows for part in iter_packed(rows, 4000, 2**20)] == [4000, 4000, 2000]
