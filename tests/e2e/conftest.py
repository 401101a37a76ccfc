"""The installed command, as its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "geminate"]
WORDS = ROOT / "fixtures/prompts/words.csv"
WORDS_SPEC = ROOT / "fixtures/specs/words.yaml"


@pytest.fixture
def geminate(tmp_path):
    def call(*arguments, code=0):
        command = [*COMMAND, *map(str, arguments)]
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert finished.returncode == code, finished.stderr
        return finished

    return call


def emulated_jobs(run_path):
    """The jobs that a run's embedded emulator has been asked for, as it keeps them."""
    return [json.loads(path.read_text()) for path in (run_path / "emulator").glob("jobs/*.json")]
