import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.texts import find_invalid, mend

BYTES = st.one_of(st.none(), st.binary(max_size=6), st.text(max_size=4).map(lambda text: text.encode("utf-8")))


def is_utf8(value):
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.lists(BYTES, max_size=9))
def test_what_is_text_stays_and_what_is_none_is_found_and_mended(values):
    column = pa.array(values, pa.binary()).view(pa.string())
    mended = mend(column)
    mended.validate(full=True)
    assert find_invalid(column) == [at for at, value in enumerate(values) if not is_utf8(value)]
    for value, text in zip(values, mended.to_pylist(), strict=True):
        if value is None:
            assert text is None
        elif is_utf8(value):
            assert text == value.decode()
        else:
            assert "\ufffd" in text


def test_half_of_a_surrogate_pair_is_one_character_that_is_none():
    column = pa.array([b"a\xed\xa0\xbdb"], pa.binary()).view(pa.string())
    assert mend(column).to_pylist() == ["a\ufffdb"]
