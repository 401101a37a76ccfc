import os

import pytest

from geminate.ledger import Attempt, Ledger
from geminate.pipeline.written.claims import make_claim, read_finished, sweep_claim
from geminate.pipeline.written.outputs import Joined

COLUMNS = "gemini_"


@pytest.fixture
def ledger(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    Ledger.create(run, {}, [Attempt("r-00000-1", "00000", 1, "planned")])
    with Ledger(run) as ledger:
        yield ledger


@pytest.fixture
def files(tmp_path):
    """An output and a side file that have just appeared."""
    return [tmp_path / "rows.csv", tmp_path / "rows.csv.orphans.jsonl"]


def claim(ledger, files):
    for path in files:
        path.write_text(f"{path.name}\n")
    joined = Joined(str(files[0]), 1, {"ok": 1}, 1, 1, 0, 0, 0, 0, {}, {})
    make_claim(ledger, COLUMNS, joined, {path: path.stat() for path in files})
    return joined


def test_an_output_that_was_claimed_and_is_there_is_finished(ledger, files):
    joined = claim(ledger, files)
    assert read_finished(ledger, str(files[0]), COLUMNS) == joined
    assert read_finished(ledger, str(files[0]), "other") is None
    ledger.add_attempts([Attempt("r-00000-2", "00000", 2, "planned")])
    assert read_finished(ledger, str(files[0]), COLUMNS) is None


def test_a_foreign_file_in_its_place_is_not(ledger, files):
    claim(ledger, files)
    os.utime(files[0], (1, 1))
    assert read_finished(ledger, str(files[0]), COLUMNS) is None


def test_side_files_of_an_output_that_never_appeared_go_and_foreign_ones_stay(ledger, files, tmp_path):
    foreign = tmp_path / "rows.csv.unreadable.jsonl"
    claim(ledger, [*files, foreign])
    sweep_claim(ledger)
    assert all(path.exists() for path in files)
    files[0].unlink()
    foreign.write_text("someone else's")
    sweep_claim(ledger)
    assert [path.exists() for path in (*files, foreign)] == [False, False, True]


def test_a_run_without_a_claim_has_nothing_finished(ledger, files):
    sweep_claim(ledger)
    assert read_finished(ledger, str(files[0]), COLUMNS) is None
