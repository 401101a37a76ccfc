"""Everything that can befall a file of a run is found by ``geminate verify``."""

import random
import shutil

import pytest

from geminate.errors import InputError
from geminate.ledger import Ledger
from geminate.pipeline.run_folder.folder import RunFolder
from geminate.pipeline.verify import iter_damages

POSITIONS = 12


@pytest.fixture(scope="module")
def whole(stepwise):
    """A run with a retry, as its commands left it."""
    return stepwise.steps["join"].before / "rows.parquet.run"


@pytest.fixture
def run(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def found(run):
    """The names of damaged files; a manifest that cannot be read is told at once."""
    try:
        return sorted({damage.file for damage in iter_damages(RunFolder(run))})
    except InputError as error:
        return ["manifest.json"] if "manifest" in error.what else [error.what]


def hashed(run):
    return sorted(path.name for path in run.iterdir() if path.name not in {"run.sqlite", "run.lock"})


def test_a_run_that_nothing_befell_is_as_it_was_written(run):
    assert len(hashed(run)) == 12
    assert found(run) == []


def test_a_file_that_is_missing_cut_short_or_longer_is_found(run):
    for name in hashed(run):
        data = (run / name).read_bytes()
        for damaged in (data[:-1], data[: len(data) // 2], b"", data + b"\n"):
            (run / name).write_bytes(damaged)
            assert damaged == data or found(run) == [name]
        (run / name).unlink()
        if name != "manifest.json":
            assert found(run) == [name]
            (run / name).mkdir()
            assert found(run) == [name]
            (run / name).rmdir()
        (run / name).write_bytes(data)
    assert found(run) == []


def test_a_byte_that_was_flipped_is_found(run):
    chance = random.Random(20261122)
    for name in hashed(run):
        data = (run / name).read_bytes()
        for place in sorted(chance.sample(range(len(data)), min(POSITIONS, len(data)))):
            flipped = bytearray(data)
            flipped[place] ^= 1 << chance.randrange(8)
            (run / name).write_bytes(flipped)
            # A hash that changed in the manifest speaks against the file that it is of, too.
            assert name in found(run), (name, place)
            assert name == "manifest.json" or found(run) == [name], (name, place)
        (run / name).write_bytes(data)
    assert found(run) == []


def test_a_foreign_file_or_folder_is_found(run):
    for name in ["notes.txt", ".hidden", "requests-00009.jsonl", ".geminate-0123456789abcdef.tmp"]:
        (run / name).write_text("mine")
        assert found(run) == [name]
        (run / name).unlink()
    (run / "folder").mkdir()
    assert found(run) == ["folder"]


def test_a_ledger_that_is_missing_cut_short_or_overwritten_is_found(run):
    path = run / "run.sqlite"
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], data[:-4096], data[:100], b"", b"x" * len(data), b"\0" * len(data)):
        path.write_bytes(damaged)
        assert found(run) == ["run.sqlite"]
    path.unlink()
    assert found(run) == ["run.sqlite"]


def test_pages_of_the_ledger_that_were_wiped_are_found(run):
    path = run / "run.sqlite"
    data = path.read_bytes()
    for start in range(0, len(data), 4096):
        page = data[start : start + 4096]
        path.write_bytes(data[:start] + bytes(len(page)) + data[start + 4096 :])
        assert found(run) == ["run.sqlite"], start


@pytest.mark.parametrize("old, new", [(b"committed", b"c0mmitted"), (b"ended", b"endet"), (b'{"name', b'{"nam\xff')])
def test_entries_of_the_ledger_that_cannot_be_ours_are_found(run, old, new):
    path = run / "run.sqlite"
    data = path.read_bytes()
    place = data.index(old)
    path.write_bytes(data[:place] + new + data[place + len(old) :])
    assert found(run) == ["run.sqlite"]


def test_a_journal_is_the_runs_own_while_a_command_is_at_work(run):
    with Ledger(run):
        assert (run / "run.lock-journal").exists()
        assert found(run) == []
    (run / "run.sqlite-journal").write_bytes(b"")
    assert found(run) == []


def test_a_damaged_ledger_is_no_traceback_for_any_command(stepwise):
    stepwise.restore(stepwise.steps["join"].before)
    path = stepwise.path / "rows.parquet.run/run.sqlite"
    path.write_bytes(path.read_bytes()[:4096])
    with stepwise.service():
        for command in (["status"], ["wait"], ["retry"], ["collect", "-o", "other.csv"], ["verify"]):
            ended = stepwise.call(command[0], "rows.parquet.run", *command[1:])
            assert ended.code == InputError.exit_code, ended
            assert "damaged" in ended.err or "malformed" in ended.err
