import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.formats import line_files
from geminate.formats.line_files import find_line_files
from geminate.wire.lines import iter_line_blocks

LINES = st.lists(st.sampled_from([b"", b"{}", b'{"a": 1}', b"x" * 40, "\u2028".encode()]), max_size=12)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("lines") / "lines.jsonl"


@settings(max_examples=150)
@given(LINES, st.booleans(), st.integers(1, 30), st.integers(1, 12))
def test_every_byte_of_a_file_comes_once_and_mostly_in_whole_lines(place, lines, terminated, piece_bytes, looked_ahead):
    place.write_bytes(b"\n".join(lines) + (b"\n" if terminated else b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_files, "PIECE_BYTES", piece_bytes)
        patch.setattr(line_files, "_PART_BYTES", looked_ahead)
        (file,) = find_line_files([str(place)], lambda: pytest.fail("no store is needed"))
        pieces = list(file.iter_pieces())
    assert b"".join(pieces) == place.read_bytes()
    found = [line for block in iter_line_blocks(pieces) for line in block.lines]
    expected = place.read_bytes().split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])
