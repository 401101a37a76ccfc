"""The command line, called in this process."""

import json
import sys
from dataclasses import dataclass

import pytest

from geminate.cli import main


@dataclass
class Finished:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def geminate(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["geminate", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capfd.readouterr()
        return Finished(stop.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("key,word\na,tyrant\nb,abdomen\nc,attendant\n")
    return path


SPEC = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")
