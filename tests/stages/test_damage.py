"""Whatever one byte of damage does, it does to its own line, and is reported."""

import json

import pytest

from geminate.stages.predictions import iter_prediction_batches
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import iter_line_blocks

CANDIDATES = [{"content": {"parts": [{"text": "ä"}]}}]
KEYS = [f"{at:02}-{at:02}" for at in range(50)]  # No flipped byte makes one of another.
LINES = [json.dumps({"key": key, "response": {"candidates": CANDIDATES}}, ensure_ascii=False).encode() for key in KEYS]
DATA = b"".join(line + b"\n" for line in LINES)
ENDS = [sum(map(len, LINES[: at + 1])) + at for at in range(len(LINES))]


def read(data):
    """The keys of the rows that are ok, the keys of all rows, and the reasons for those that are unreadable."""
    keys, outcomes, reasons = [], [], []
    for block in iter_prediction_batches(iter_line_blocks([data]), source="", reading=ReadOptions()):
        keys += block.predictions.column("key").to_pylist()
        outcomes += block.predictions.column("outcome").to_pylist()
        reasons += [line.reason for line in block.unreadable.values()]
    return [key for key, outcome in zip(keys, outcomes, strict=True) if outcome == "ok"], keys, reasons


def test_a_file_cut_anywhere_keeps_every_whole_line():
    for size in range(1, len(DATA)):
        good, keys, reasons = read(DATA[:size])
        whole = sum(end <= size for end in ENDS)
        assert good == keys == KEYS[:whole]
        within = whole < len(LINES) and size > (ENDS[whole - 1] + 1 if whole else 0)
        assert len(reasons) == within
        assert set(reasons) <= {"truncated", "invalid_utf8"}


def flip(line, place, mask):
    return line[:place] + bytes([line[place] ^ mask]) + line[place + 1 :]


@pytest.mark.parametrize("mask", [0x80, 0x01, 0x20, 0xFF])
@pytest.mark.parametrize("parity", [0, 1])
def test_a_flipped_byte_costs_its_own_line_alone(mask, parity):
    for place in range(len(LINES[0])):
        lines = [flip(line, place, mask) if at % 2 == parity else line for at, line in enumerate(LINES)]
        good, keys, reasons = read(b"".join(line + b"\n" for line in lines))
        untouched = KEYS[1 - parity :: 2]
        assert [key for key in good if key in set(untouched)] == untouched
        assert len(keys) + len(reasons) == len(KEYS)
        if mask & 0x80:  # A byte that loses or gains its eighth bit is no UTF-8 here, wherever it stands.
            assert (good, keys, len(reasons)) == (untouched, untouched, 25)


@pytest.mark.parametrize("mask", [0x80, 0x01, 0x20, 0xFF])
def test_a_flipped_line_end_costs_the_two_lines_beside_it(mask):
    for at, end in enumerate(ENDS):
        good, keys, reasons = read(flip(DATA, end, mask))
        assert good == keys == KEYS[:at] + KEYS[at + 2 :]
        assert len(reasons) == 1
