import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire import lines as wire_lines
from geminate.wire.lines import LineDecoder, iter_line_blocks

HOSTILE = b"abc\n\r\n\n" + b"x" * 30 + "\né\u2028y\u0085\r z\n\nlast".encode()


def read(pieces, max_line_bytes=1 << 20):
    """Every line as (bytes, number, offset, whole length, terminated)."""
    seen = []
    for block in iter_line_blocks(pieces, max_line_bytes):
        offsets = block.offsets()
        for at, line in enumerate(block.lines):
            terminated = block.terminated or at < len(block.lines) - 1
            assert offsets[at] == block.offset(at)
            seen.append((line, block.number(at), offsets[at], block.overlong.get(at, len(line)), terminated))
    return seen


@pytest.mark.parametrize("cap", [1, 5, 12, 29, 30, 1000])
@pytest.mark.parametrize("salvage", [4, 4096])
def test_lines_do_not_depend_on_where_the_pieces_are_cut(monkeypatch, cap, salvage):
    monkeypatch.setattr(wire_lines, "SALVAGE_BYTES", salvage)
    whole = read([HOSTILE], cap)
    for first in range(len(HOSTILE) + 1):
        for second in range(first, len(HOSTILE) + 1):
            assert read([HOSTILE[:first], HOSTILE[first:second], HOSTILE[second:]], cap) == whole
    assert read([HOSTILE[at : at + 1] for at in range(len(HOSTILE))], cap) == whole


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\x00", b"\n")), st.sampled_from([b"", b"x" * 5000]))
def test_lines_end_at_the_byte_newline_and_nowhere_else(data, long_beginning):
    data = long_beginning + data
    seen = read([data])
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line for line, *_ in seen] == expected
    assert all(data[offset : offset + length] == line for line, _, offset, length, _ in seen)
    assert [number for _, number, *_ in seen] == list(range(1, len(seen) + 1))
    assert all(terminated for *_, terminated in seen[:-1])
    assert not seen or seen[-1][-1] == data.endswith(b"\n")


def test_of_an_overlong_line_the_beginning_and_the_length_are_kept():
    seen = read([b"a\n" + b"y" * 5000, b"y" * 5000 + b"\nb"], 6000)
    assert [(len(line), length) for line, _, _, length, _ in seen] == [(1, 1), (4096, 10_000), (1, 1)]
    assert [offset for _, _, offset, _, _ in seen] == [0, 2, 10_003]


def test_a_line_as_long_as_the_cap_is_whole():
    assert read([b"z" * 6000 + b"\n"], 6000)[0][0] == b"z" * 6000


def test_an_empty_stream_has_no_lines():
    decoder = LineDecoder()
    assert decoder.feed(b"").lines == []
    assert decoder.flush().lines == []
