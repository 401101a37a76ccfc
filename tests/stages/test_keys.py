import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from geminate.stages.keys import KeyColumn, KeyRegister

keys = st.one_of(st.text(max_size=3), st.text("ab", max_size=20), st.integers(60, 70).map("x".__mul__))


@given(st.lists(st.lists(keys, max_size=8), max_size=4))
def test_rows_with_equal_keys_are_found_however_they_are_cut(blocks):
    register = KeyRegister()
    for block in blocks:
        # A slice, since those begin in the middle of their buffers.
        register.add(pa.array(["", *block, ""], pa.string()).slice(1, len(block)))
    every = [key for block in blocks for key in block]
    # Different keys may share a hash, so there may be more candidates.
    assert register.candidate_rows() >= {row for row, key in enumerate(every) if every.count(key) > 1}


def test_keys_of_one_form_are_told_apart():
    register = KeyRegister()
    register.add(pa.array([f"r-{row:09d}" for row in range(100_000)]))
    assert register.candidate_rows() == set()


def test_generated_keys_may_outgrow_their_zeros():
    prompts = pa.record_batch({"text": ["a", "b"]})
    extended = KeyColumn("key", generated=True).extend(prompts, 999_999_998)
    assert extended["key"].to_pylist() == ["r-999999999", "r-1000000000"]
