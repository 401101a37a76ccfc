import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from geminate.errors import GeminateError, InputError, TransientError
from geminate.ledger import FOLLOWS, LEDGER_NAME, Attempt, Ledger

PLANNED = Attempt(attempt_id="run-00000-1", shard="00000", number=1, state="planned")


@pytest.fixture
def folder(tmp_path):
    Ledger.create(tmp_path, {"run_id": "run"}, [PLANNED])
    return tmp_path


def test_what_was_written_is_there_after_reopening(folder):
    with Ledger(folder) as ledger:
        ledger.settle("target", {"project": "p"})
        staged = ledger.advance(PLANNED, "staged", at=1.0, input_uri="gs://b/a", input_generation=7)
    with Ledger(folder) as ledger:
        assert ledger.attempts() == [staged]
        assert (staged.state, staged.input_uri, staged.input_generation) == ("staged", "gs://b/a", 7)
        assert ledger.facts() == {"run_id": "run", "target": {"project": "p"}}


def test_a_copied_folder_goes_on_elsewhere(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(folder, elsewhere)
    with Ledger(folder), Ledger(elsewhere) as ledger:
        assert ledger.advance(PLANNED, "staged", at=1.0).state == "staged"


@pytest.mark.parametrize("state", sorted(set(FOLLOWS) - FOLLOWS["planned"]))
def test_a_state_that_may_not_follow_is_refused(folder, state):
    with Ledger(folder) as ledger, pytest.raises(GeminateError, match="cannot go from planned"):
        ledger.advance(PLANNED, state, at=1.0)


def test_an_attempt_that_moved_on_meanwhile_is_not_moved_again(folder):
    with Ledger(folder) as ledger:
        ledger.advance(PLANNED, "staged", at=1.0)
        with pytest.raises(GeminateError, match="another state"):
            ledger.advance(PLANNED, "staged", at=2.0)


def test_every_state_can_be_reached_and_only_the_end_is_final():
    reached = {"planned"}
    for _ in FOLLOWS:
        reached |= {after for state in reached for after in FOLLOWS[state]}
    assert reached == set(FOLLOWS)
    assert [state for state, after in FOLLOWS.items() if not after] == ["ended", "abandoned"]


def test_a_second_worker_is_told_that_the_run_is_taken(folder):
    with Ledger(folder):
        with pytest.raises(TransientError, match="another process"):
            Ledger(folder)
        with Ledger(folder, lock=False) as reader:
            assert reader.attempts() == [PLANNED]


HOLD = "import sys; from pathlib import Path; from geminate.ledger import Ledger; "
HOLD += "ledger = Ledger(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def test_the_lock_of_a_killed_process_is_free(folder):
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TransientError, match="another process"):
            Ledger(folder)
        holder.kill()
    with Ledger(folder) as ledger:
        assert ledger.attempts() == [PLANNED]


def alter(folder, *statements):
    with closing(sqlite3.connect(folder / LEDGER_NAME)) as db, db:
        for statement in statements:
            db.execute(statement)


def test_a_ledger_of_the_first_version_goes_on(folder):
    dropped = [f"ALTER TABLE attempts DROP COLUMN {name}" for name in ("seen_at", "resumes")]
    alter(folder, *dropped, "PRAGMA user_version = 1")
    with Ledger(folder, lock=False) as ledger:
        assert ledger.attempts() == [PLANNED]
    with Ledger(folder) as ledger:
        assert ledger.record_job(PLANNED, {"name": "n"}, at=5.0).seen_at == 5.0


def test_a_ledger_that_cannot_be_brought_forward_is_left_closed(folder):
    alter(folder, "DROP TABLE attempts", "PRAGMA user_version = 1")
    with pytest.raises(GeminateError, match="no such table") as caught:
        Ledger(folder)
    # The error keeps what was made so far from being collected as garbage.
    assert caught.tb is not None
    assert [path for path in open_files() if path.startswith(str(folder))] == []


def open_files():
    links = Path("/proc/self/fd").iterdir()
    return [str(link.readlink()) for link in links if link.is_symlink()]


def test_a_ledger_of_a_later_version_is_refused(folder):
    alter(folder, "PRAGMA user_version = 99")
    with pytest.raises(InputError, match="version 99"):
        Ledger(folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        Ledger(tmp_path)
