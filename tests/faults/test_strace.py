"""Real system calls: a process killed by the kernel's own hand, and writes that fail below Python and SQLite."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SERVICE
from .disk import SHOWN_BYTES, TRACED, Disk, read_trace

# How often a thread of the run makes each call, or nearly so.
CALLS = {"fdatasync": 120, "fsync": 9, "link": 2, "mkdir": 4, "pwrite64": 400, "rename": 2, "sendto": 17, "unlink": 38}
# Of so many writes of the ledger's, one of some neighbours stands for all.
EVERY = {"pwrite64": 5}
ALL = os.environ.get("GEMINATE_FAULTS") == "all"
POINTS = [
    (call, place)
    for call, most in CALLS.items()
    for place in (range(1, most + 1, EVERY.get(call, 1)) if ALL else [random.Random(call).randint(1, most)])
]
MUTANT = [sys.executable, Path(__file__).with_name("mutations.py")]


def strace(world, argv, *options, program=(sys.executable, "-m", "geminate")):
    command = ["strace", "-f", "-qq", *options, *program, *argv]
    return subprocess.run(list(map(str, command)), cwd=world.path, capture_output=True, text=True, check=False)


def inject(world, argv, call, fault):
    return strace(world, argv, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}")


@pytest.fixture
def traced(reference):
    if shutil.which("strace") is None:
        pytest.skip("NO STRACE: real system calls are not cut on this machine; apt install strace")
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("STRACE MAY NOT TRACE here: real system calls are not cut on this machine")
    return reference


@pytest.mark.slow
@pytest.mark.parametrize("call, place", POINTS)
def test_killed_at_a_system_call_a_run_goes_on_and_pays_once(traced, call, place):
    step = traced.steps["run"]
    for earlier in range(place, 0, -1):
        traced.restore(step.before)
        with traced.service():
            killed = inject(traced, step.argv, call, f"signal=KILL:when={earlier}")
            if killed.returncode == step.code:
                continue  # No thread came so far this time.
            assert killed.returncode in {-9, 137}, (earlier, killed)
            assert set(traced.jobs().values()) <= {1}
            settled = traced.call(*step.argv)
            assert settled.code == step.code, (earlier, settled.err)
            assert traced.outcomes() == step.outcomes
            assert traced.jobs() == step.jobs
            assert traced.call("verify", "rows.parquet.run").code == 0
        return
    raise AssertionError("nothing was cut")


def trace(world, argv, *mutation):
    """What was on disk for good at each call of a command that nothing disturbs."""
    there, path = set(world.path.rglob("*")), world.path.with_name("trace")
    program = [*MUTANT, *mutation] if mutation else [sys.executable, "-m", "geminate"]
    options = ("-y", "-s", SHOWN_BYTES, "-o", path, "-e", f"trace={TRACED}")
    with world.service():
        ended = strace(world, argv, *options, program=program)
    assert ended.returncode in {0, 3}, ended.stderr
    return read_trace(path.read_text(), Disk(world.path, SERVICE, there))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "retry", "again"])
def test_at_every_call_what_must_be_on_disk_is_there(traced, name):
    step = traced.steps[name]
    traced.restore(step.before)
    disk = trace(traced, step.argv)
    assert disk.faults == []
    assert disk.posts == (0 if name == "again" else 3)


@pytest.mark.slow
def test_a_build_with_all_its_files_appears_when_they_are_on_disk(traced, media_bytes):
    traced.restore(traced.steps["run"].before)
    (traced.path / "a.pdf").write_bytes(media_bytes["pdf"])
    (traced.path / "media.csv").write_text("key,photo\na,a.pdf\nb,a.pdf\n")
    build = ["build", "media.csv", "--model", "gemini-3.5-flash", "--prompt", "What?", "--media-column", "photo"]
    where = ["--dedupe", "--upload", "gs://bucket/media", "--buckets", traced.emulator_path / "buckets"]
    assert trace(traced, [*build, *where, "--out", "media.run"]).faults == []
    assert {"media.jsonl", "followers.arrow"} <= {path.name for path in (traced.path / "media.run").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutation, fault",
    [
        ("post_before_the_intent", "a create call before its intent is on disk"),
        ("files_are_not_synced", "rows.parquet.run appears before manifest.json is on disk"),
        ("folders_are_not_synced", "rows.parquet appeared or went, and its folder was not synced"),
        ("the_ledger_is_not_synced", "a create call before its intent is on disk"),
        ("the_ledgers_folder_is_not_synced", "a create call before the ledger's last entry is on disk"),
    ],
)
def test_a_broken_order_does_not_pass_unseen(traced, mutation, fault):
    step = traced.steps["run"]
    traced.restore(step.before)
    assert fault in trace(traced, step.argv, mutation).faults


@pytest.mark.slow
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_write_of_the_ledger_that_fails_is_told_and_gone_on_from(traced, call, error):
    step = traced.steps["run"]
    traced.restore(step.before)
    with traced.service():
        # From the third of these calls on each one fails; SQLite makes most of them.
        failed = inject(traced, step.argv, call, f"error={error}:when=3+")
        assert failed.returncode == 75, failed.stderr
        assert "Traceback" not in failed.stderr
        settled = traced.call(*step.argv)
        assert settled.code == step.code, settled.err
        assert traced.outcomes() == step.outcomes
        assert traced.jobs() == step.jobs
