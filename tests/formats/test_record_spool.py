import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.formats.record_spool import RecordSpool


def batch(numbers):
    return pa.record_batch(
        {
            "n": pa.array(numbers, pa.int64()),
            "text": pa.array([None if n % 3 == 0 else "x" * n for n in numbers], pa.string()),
            "word": pa.array([f"w{n % 2}" for n in numbers]).dictionary_encode(),
            "calls": pa.array([[{"name": str(n)}] for n in numbers], pa.list_(pa.struct([("name", pa.string())]))),
        }
    )


steps = st.tuples(st.integers(-3, 3), st.lists(st.integers(0, 40), max_size=6))


@given(st.lists(steps, max_size=12), st.integers(0, 3000))
@settings(max_examples=60)
def test_every_slot_gives_back_what_it_was_given_in_order(given_steps, memory_bytes):
    slots = {}
    with RecordSpool(memory_bytes) as spool:
        for slot, numbers in given_steps:
            kept = batch(numbers)
            spool.append(slot, kept)
            slots.setdefault(slot, []).append(kept)
        for slot, expected in slots.items():
            assert list(spool.read(slot)) == expected
            assert list(spool.read(slot)) == expected
            spool.drop(slot)
            assert list(spool.read(slot)) == []
            assert spool.nbytes(slot) == 0


def test_a_slice_takes_no_more_room_than_it_has_rows():
    whole = batch(list(range(40)) * 50)
    with RecordSpool(0) as spool:
        spool.append(1, whole)
        spool.append(2, whole.slice(100, 10))
        assert spool.nbytes(2) < spool.nbytes(1) / 10
        assert next(spool.read(2)) == whole.slice(100, 10)


def test_dropping_makes_room_in_memory_again(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    kept = batch([1, 2, 3])
    with RecordSpool(kept.nbytes) as spool:
        for slot in range(3):
            spool.append(slot, kept)
            spool.drop(slot)
        spool.append(4, kept)
        with pytest.raises(FileNotFoundError):
            spool.append(5, kept)


def test_nothing_is_left_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with RecordSpool(0) as spool:
        spool.append(1, batch([1]))
        assert list(tmp_path.iterdir()) == []
