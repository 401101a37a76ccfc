"""The suite for a real project, rehearsed on the emulator, so that it works on the day it is paid for."""

import os
import re
import subprocess
import sys
from pathlib import Path

from geminate.emulator import Emulator

ROOT = Path(__file__).parents[2]


def run_live(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GEMINATE_LIVE")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/live"]
    return subprocess.run(command, cwd=ROOT, env=kept | settings, capture_output=True, text=True, check=False).stdout


def test_the_live_suite_runs_each_route_and_removes_what_it_made(tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        settings = {"GEMINATE_LIVE": "1", "GEMINATE_LIVE_PROJECT": "rehearsal", "GEMINATE_LIVE_ENDPOINT": emulator.url}
        said = run_live(**settings)
        assert [path for path in emulator.buckets.rglob("*") if path.is_file()] == []
    assert "4 passed" in said, said
    assert re.findall("^held .*", said, re.MULTILINE)
    assert "NOT HELD" not in said


def test_the_live_suite_does_nothing_unless_it_is_asked():
    assert "4 skipped" in run_live()
