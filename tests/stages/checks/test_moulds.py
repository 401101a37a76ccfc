"""Lines known at a glance are judged as if each had been looked at closely."""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks import CheckOptions, RequestChecker, checker
from geminate.stages.checks.shapes import ShapeMemory
from geminate.wire.lines import LineBlock

LINE = b'{"key":"%b","n":%b,"request":{"contents":[{"role":"%b","parts":[%b{"text":"%b"}]}]}}'
FILE = b'{"fileData":{"mimeType":"image/png","fileUri":"gs://%b/file"}},'
BITS = [b"plain", b'\\"', b"\\\\", b'"', b"\\n", b"\\u00e9", b"\\u12", b"\\ud83d", b"\\ud83d\\ude00", b"\\x", b"\t"]
BITS += [b"\xc2\xa0/", b"\x00", b"\xc3\xa9", b"\xff", b'","text":"', b'"},{"text":"', b"\\", b" ", b"\r"]
NUMBERS = (b"%d", b"-%d", b"0.%d", b"%de5", b"1e0%d")
ODD_ROLES = [b"uses", b"model", b"us\xffr", b"us\ner"]
ODD_NUMBERS = [b"1", b"12", b"01", b"001", b"-03", b"0.5", b"0.01", b"01e5", b"1e003", b"null", b"{}", b"1 1"]

texts = st.lists(st.sampled_from(BITS), max_size=3).map(b"".join)
CHANGES = {
    "key": texts.map(b"odd".__add__),
    "number": st.sampled_from(ODD_NUMBERS),
    "role": st.sampled_from(ODD_ROLES),
    "file": texts.map(FILE.__mod__),
    "text": texts,
}
changes = st.one_of(st.tuples(st.just(name), values) for name, values in CHANGES.items())
EVERY_CHANGE = [("number", number) for number in ODD_NUMBERS] + [("role", role) for role in ODD_ROLES]
EVERY_CHANGE += [change for bit in BITS for change in (("key", b"odd" + bit), ("file", FILE % bit), ("text", bit))]


class Forgetful(ShapeMemory):
    """Knows no line, so that each is checked in full."""

    def recognise_all(self, lines):
        del lines
        return []

    def recognise(self, line):
        del line


def make_line(n, number, has_file, change=()):
    file = FILE % b"%d" % n if has_file else b""
    parts = {"key": b"k%d" % n, "number": number % (n % 90 + 10), "role": b"user", "file": file, "text": b"text %d" % n}
    return LINE % tuple((parts | dict(change)).values())


def find(lines):
    found = RequestChecker(CheckOptions(advice=True))
    return found.feed(LineBlock(b"".join(line + b"\n" for line in lines)), "a"), found.finish()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("has_file", [False, True])
def test_each_odd_line_is_found_among_lines_known_at_a_glance(number, has_file):
    # Lines that are not UTF-8 keep others from being known at a glance, so they have a set of their own.
    for is_text in (True, False):
        expect_the_same([change for change in EVERY_CHANGE if (b"\xff" not in change[1]) == is_text], number, has_file)


@settings(max_examples=50, deadline=None)
@given(st.lists(changes, min_size=5, max_size=20), st.sampled_from(NUMBERS), st.booleans())
def test_what_is_found_does_not_hang_on_what_was_learnt(odd, number, has_file):
    expect_the_same(odd, number, has_file)


def expect_the_same(odd, number, has_file):
    good = [make_line(n, number, has_file) for n in range(60)]
    later = [make_line(60 + n, number, has_file, [change]) for n, change in enumerate(odd)]
    every = [*good, *later, *(make_line(200 + n, number, has_file) for n in range(5))]
    with patch.object(checker, "ShapeMemory", Forgetful):
        expected = find(every)
    assert find(every) == expected


def test_lines_of_one_shape_are_known_at_a_glance():
    memory = ShapeMemory(("key",))
    every = [make_line(n, b"%d", has_file=False, change=[("key", b'k\\"%d' % n)]) for n in range(40)]
    value = {"key": "", "n": 1, "request": {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}}
    memory.learn(every[0], value)
    assert [memory.recognise(line) for line in every[:10]] == [b'k"%d' % n for n in range(10)]
    assert memory.recognise_all(b"\n".join(every)) == [b'k"%d' % n for n in range(40)]
