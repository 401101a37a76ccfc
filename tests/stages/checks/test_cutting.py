import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks.cutting import cut_lines

BITS = ['"', "\\", "\\\\", '\\"', "\\n", "\\u00e9", "\\u00", "\\uD83D\\uDE00", "\\ud83d", "\\x", "\r", "é", "x"]


@settings(max_examples=200)
@given(st.lists(st.text() | st.lists(st.sampled_from(BITS), max_size=6).map("".join), min_size=1, max_size=5))
def test_a_sound_line_between_two_quotes_is_a_string(texts):
    lines = [b'"%b"' % text.replace("\n", "").encode() for text in texts]
    cut = cut_lines(b"\n".join(lines))
    for at, line in enumerate(lines):
        quotes = cut.quotes[cut.first_quotes[at] : cut.first_quotes[at + 1]] - cut.starts[at]
        is_string = bool(cut.is_sound[at]) and quotes.tolist() == [0, len(line) - 1]
        assert cut.data[cut.starts[at] : cut.ends[at]] == line
        # Pairs of surrogates are left to others.
        assert is_string == is_json_string(line) or (not is_string and b"\\ud8" in line.lower())


def is_json_string(line):
    try:
        return isinstance(orjson.loads(line), str)
    except orjson.JSONDecodeError:
        return False


def test_lines_that_are_not_text_are_not_cut():
    assert cut_lines(b'"x"\n"\xff"\n') is None
