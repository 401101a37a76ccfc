import subprocess
import sys

import pytest

COMMANDS = [
    "build",
    "check",
    "submit",
    "status",
    "wait",
    "cancel",
    "retry",
    "collect",
    "join",
    "run",
    "verify",
    "emulate",
]
SHOW = "; import sys; print([m for m in sys.modules if m.split('.')[0] in ('google', 'polars')])"


@pytest.mark.parametrize("code", ["import geminate", "import geminate as gm; gm.Spec", "import geminate.cli"])
def test_importing_loads_neither_google_nor_polars(code):
    assert subprocess.check_output([sys.executable, "-c", code + SHOW], text=True).strip() == "[]"


def test_help_loads_neither_google_nor_polars():
    code = "import sys; sys.argv = ['geminate', '--help']\nfrom geminate.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    shown = subprocess.check_output([sys.executable, "-c", code + SHOW.removeprefix("; ")], text=True)
    assert "Exit codes" in shown
    assert shown.strip().endswith("[]")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(geminate, command):
    finished = geminate(command, "--help")
    assert finished.code == 0
    assert finished.out.startswith("Usage: geminate " + command)


def test_the_version_is_told(geminate):
    import geminate as package

    assert package.__version__ in geminate("--version").out
