import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geminate.stages.shards import ShardCutter, ShardLimits

lines = st.lists(st.integers(0, 50), max_size=60)
limits = st.builds(ShardLimits, st.integers(1, 10), st.integers(1, 100))


def assign(limits, pieces):
    cutter = ShardCutter(limits)
    assigned = []
    for piece in pieces:
        covered = 0
        for found in cutter.iter_slices(np.array(piece, dtype=np.int64)):
            assert found.start == covered
            covered = found.stop
            assigned += [found.shard] * (found.stop - found.start)
        assert covered == len(piece)
    return assigned


@given(lines, limits)
def test_every_row_is_in_one_shard_within_the_limits(sizes, limits):
    assigned = assign(limits, [sizes])
    assert assigned == sorted(assigned)
    assert set(assigned) == set(range(max(assigned, default=-1) + 1))
    for shard in set(assigned):
        inside = [size for size, at in zip(sizes, assigned, strict=True) if at == shard and size]
        assert len(inside) <= limits.max_rows
        assert sum(inside) <= limits.max_shard_bytes or len(inside) == 1


@given(lines, limits, st.lists(st.integers(0, 60), max_size=5))
def test_the_cut_does_not_depend_on_the_record_batches(sizes, limits, cuts):
    edges = [0, *sorted(min(cut, len(sizes)) for cut in cuts), len(sizes)]
    pieces = [sizes[a:b] for a, b in itertools.pairwise(edges)]
    assert assign(limits, pieces) == assign(limits, [sizes])


def test_no_shard_is_without_lines_unless_there_are_none():
    assert assign(ShardLimits(5, 10), [[20, 0, 20, 0, 0, 20]]) == [0, 0, 1, 1, 1, 2]
    assert assign(ShardLimits(5, 10), [[0, 20, 0], [0, 20]]) == [0, 0, 0, 0, 1]


def test_a_rejected_row_stays_with_the_row_before_it():
    assert assign(ShardLimits(2, 100), [[5, 5, 0, 0, 5]]) == [0, 0, 0, 0, 1]
