"""Real system calls: a process killed by the kernel's own hand, and writes that fail below Python and SQLite."""

import os
import random
import shutil
import subprocess
import sys

import pytest

# How often a thread of the run makes each call at least, so that one of those times can be cut.
CALLS = {"fdatasync": 30, "fsync": 2, "link": 3, "mkdir": 2, "pwrite64": 90, "rename": 1, "sendto": 3, "unlink": 4}
ROUNDS = 8 if os.environ.get("GEMINATE_FAULTS") == "all" else 1


def strace(world, argv, injection):
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={injection.partition(':')[0]}"]
    command += ["-e", f"inject={injection}", sys.executable, "-m", "geminate", *map(str, argv)]
    return subprocess.run(command, cwd=world.path, capture_output=True, text=True, check=False)


@pytest.fixture
def traced(reference):
    if shutil.which("strace") is None:
        pytest.skip("NO STRACE: real system calls are not cut on this machine; apt install strace")
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("STRACE MAY NOT TRACE here: real system calls are not cut on this machine")
    return reference


@pytest.mark.slow
@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_a_system_call_a_run_goes_on_and_pays_once(traced, call, number):
    step = traced.steps["run"]
    place = random.Random(f"{call} {number}").randint(1, CALLS[call])
    traced.restore(step.before)
    with traced.service():
        killed = strace(traced, step.argv, f"{call}:signal=KILL:when={place}")
        assert killed.returncode in {-9, 137}, (place, killed)
        assert set(traced.jobs().values()) <= {1}
        settled = traced.call(*step.argv)
        assert settled.code == step.code, (place, settled.err)
        assert traced.outcomes() == step.outcomes
        assert traced.jobs() == step.jobs
        assert traced.call("verify", "rows.parquet.run").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_write_of_the_ledger_that_fails_is_told_and_gone_on_from(traced, call, error):
    step = traced.steps["run"]
    traced.restore(step.before)
    with traced.service():
        # From the third of these calls on each one fails; SQLite makes most of them.
        failed = strace(traced, step.argv, f"{call}:error={error}:when=3+")
        assert failed.returncode == 75, failed.stderr
        assert "Traceback" not in failed.stderr
        settled = traced.call(*step.argv)
        assert settled.code == step.code, settled.err
        assert traced.outcomes() == step.outcomes
        assert traced.jobs() == step.jobs
