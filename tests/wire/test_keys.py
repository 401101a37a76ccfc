import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.keys import KEY_PREFIX, decode_key, decode_keys, encode_keys

TYPED = [
    "000000",
    "17",
    "-1.5e3",
    "0x1F",
    "1,000",
    "2020-01-01",
    "2020-01-01 00:00:00 UTC",
    "12:30",
    "true",
    "No",
    "NaN",
]
PLAIN = ["r-000001", "HumanEval/0", "tyrant", "a1", "", "-", "3-sushi", "k:foo", "2020-01-01\n"]


@pytest.mark.parametrize("key", TYPED)
def test_a_key_that_looks_like_another_type_travels_with_the_prefix(key):
    assert encode_keys(pa.array([key])).to_pylist() == [KEY_PREFIX + key]


@pytest.mark.parametrize("key", PLAIN)
def test_any_other_key_travels_as_it_is(key):
    assert encode_keys(pa.array([key])).to_pylist() == [key]


keys = st.one_of(
    st.text(), st.sampled_from(TYPED + PLAIN), st.sampled_from(TYPED).map(lambda key: KEY_PREFIX * 2 + key)
)


@given(st.lists(st.none() | keys))
def test_decoding_is_the_inverse_of_encoding(texts):
    encoded = encode_keys(pa.array(texts, pa.string()))
    assert decode_keys(encoded).to_pylist() == texts
    assert [None if key is None else decode_key(key) for key in encoded.to_pylist()] == texts


@given(st.lists(keys, unique=True))
def test_different_keys_stay_different_on_the_wire(texts):
    assert len(set(encode_keys(pa.array(texts, pa.string())).to_pylist())) == len(texts)
