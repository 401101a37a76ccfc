"""The command as a process of its own."""

import subprocess
import sys

import pytest


@pytest.fixture
def geminate(tmp_path):
    def call(*arguments, code=0):
        command = [sys.executable, "-m", "geminate", *map(str, arguments)]
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert finished.returncode == code, finished.stderr
        return finished

    return call
