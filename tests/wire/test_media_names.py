import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.wire.media_names import media_name

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\x",
    "con",
    "NUL.txt",
    "-rf",
    "a b",
    "a\0b",
    "a\nb",
    "ä",
    "a\u0308",
    "\ud800",
    "A",
    "a",
    "x" * 64,
    "x" * 65,
    "x" * 10_000,
    "row~000000001",
    "a~ca978112ca1bbdcafac2",
    "a-1",
    "img/001.jpg",
]
KEYS = (
    st.none()
    | st.sampled_from(HOSTILE)
    | st.text(max_size=80)
    | st.from_regex(r"[aA][-_~.]?[0-9]{0,2}", fullmatch=True)
)
FILES = st.tuples(KEYS, st.integers(1, 10**12), st.integers(1, 10**6))
TYPES = st.sampled_from([None, "image/png", "IMAGE/JPEG; q=1", "text/html", "application/x-msdownload", "../png"])


@settings(max_examples=200)
@given(FILES, TYPES)
def test_names_are_legal_everywhere(file, mime_type):
    name = media_name(*file, mime_type)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_~-]*\.[a-z0-9]{2,5}", name)
    assert len(name) <= 120
    assert name.split(".")[0].lower() not in RESERVED


@settings(max_examples=200)
@given(FILES, FILES)
def test_different_media_never_share_a_name_even_where_case_does_not_count(one, other):
    # The row only counts where there is no key.
    known = [(key, row if key is None else 0, number) for key, row, number in (one, other)]
    names = [media_name(*file, "image/png").casefold() for file in (one, other)]
    assert (names[0] == names[1]) == (known[0] == known[1])


def test_hostile_keys_have_names_of_their_own():
    names = {media_name(key, 1, 1, "image/png").casefold() for key in (None, *HOSTILE)}
    assert len(names) == len(HOSTILE) + 1


@pytest.mark.parametrize(
    "key, mime_type, name",
    [
        ("r-000000001", "image/png", "r-000000001-1.png"),
        ("a_b", "image/jpeg", "a_b-1.jpg"),
        ("a", "Audio/L16;codec=pcm;rate=24000", "a-1.pcm"),
        ("a", "text/html", "a-1.bin"),
        ("a", None, "a-1.bin"),
        (None, "image/png", "row~000000007-1.png"),
    ],
)
def test_a_plain_key_stands_as_it_is(key, mime_type, name):
    assert media_name(key, 7, 1, mime_type) == name
