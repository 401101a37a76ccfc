import csv

from hypothesis import example, given
from hypothesis import strategies as st

from geminate.formats.quotes import find_fault, iter_whole_rows, pair_up

contents = st.text(alphabet='a",\n\r', max_size=24).map(str.encode)
sizes = st.integers(1, 5)


def cut(content, size):
    return [content[start : start + size] for start in range(0, len(content), size)]


def is_strict(content):
    """What Python's reader says of the same bytes."""
    try:
        list(csv.reader(content.decode().splitlines(keepends=True), strict=True))
    except csv.Error:
        return False
    return True


@given(contents, sizes)
@example(b'a,"b\n', 2)
@example(b'"a"b,c', 1)
@example(b'a"b,"c""\n"', 3)
def test_faults_are_those_that_pythons_reader_finds(content, size):
    assert (find_fault(cut(content, size), b",") is None) == is_strict(content)


@given(contents, sizes)
def test_quotes_that_pair_up_have_no_fault(content, size):
    if pair_up(cut(content, size), b","):
        assert find_fault(cut(content, size), b",") is None


@given(contents, sizes)
def test_rows_are_cut_where_rows_end_and_nothing_is_lost(content, size):
    if find_fault([content], b","):
        return
    blocks = list(iter_whole_rows(cut(content, size), b",", paired=pair_up([content], b",")))
    assert b"".join(blocks) == content
    assert all(is_strict(block) and block[-1:] in b"\r\n" for block in blocks[:-1])


def test_a_fault_is_where_it_can_be_seen():
    assert find_fault([b'a,"b""c\n', b"d,e"], b",").offset == 2
    assert find_fault([b'a\tb\n"c"d'], b"\t").offset == 6
