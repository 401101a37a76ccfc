"""The suite for a real project, rehearsed on the emulator, so that it works on the day it is paid for."""

import os
import re
import subprocess
import sys
from pathlib import Path

from geminate.emulator import Emulator, EmulatorOptions

ROOT = Path(__file__).parents[2]


def run_live(*options, **settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEMINATE_LIVE")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *(options or ["tests/live"])]
    return subprocess.run(command, cwd=ROOT, env=kept | settings, capture_output=True, text=True, check=False).stdout


def rehearse(emulator, *options):
    settings = {"GEMINATE_LIVE": "1", "GEMINATE_LIVE_PROJECT": "rehearsal", "GEMINATE_LIVE_ENDPOINT": emulator.url}
    return run_live(*options, **settings)


def test_the_live_suite_looks_at_each_assumption_and_removes_what_it_made(tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        said = rehearse(emulator)
        assert [path for path in emulator.buckets.rglob("*") if path.is_file()] == []
    assert "9 passed" in said, said
    assert re.findall("^held .*", said, re.MULTILINE)
    assert "NOT HELD" not in said
    assert "its test did not come so far" not in said


def test_the_live_suite_says_what_does_not_hold_and_what_it_did_not_look_at(tmp_path):
    with Emulator(tmp_path / "emulator", EmulatorOptions(faults={"jobs": [{"coerce_keys": True}]})) as emulator:
        said = rehearse(emulator, "tests/live/test_service.py", "-k", "lines")
    assert "NOT HELD  siblings that look like numbers stay text" in said, said
    assert "not looked at  no key comes twice  (its test did not come so far)" in said


def test_the_live_suite_does_nothing_unless_it_is_asked():
    assert "9 skipped" in run_live()
