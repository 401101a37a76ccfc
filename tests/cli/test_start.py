import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
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
HEAVY = ("google", "jsonschema", "minijinja", "pandas", "polars", "requests", "rich", "yaml")
SHOW = f"; import sys; print([m for m in sys.modules if m.split('.')[0] in {HEAVY}])"


def loaded_by(*arguments):
    """What a command says, the last line being the heavy modules that it has loaded."""
    code = f"import sys; sys.argv = ['geminate', *{arguments}]\nfrom geminate.cli import main\n"
    code += "try: main()\nexcept SystemExit as end: assert not end.code\n"
    return subprocess.check_output([sys.executable, "-c", code + SHOW.removeprefix("; ")], text=True).strip()


@pytest.mark.parametrize("code", ["import geminate", "import geminate as gm; gm.Spec", "import geminate.cli"])
def test_importing_loads_nothing_heavy(code):
    assert subprocess.check_output([sys.executable, "-c", code + SHOW], text=True).strip() == "[]"


def test_help_loads_nothing_heavy():
    shown = loaded_by("--help")
    assert "Exit codes" in shown
    assert shown.endswith("[]")


def test_commands_load_only_what_they_use(tmp_path):
    prompts, run = str(tmp_path / "prompts.parquet"), str(tmp_path / "run")
    pq.write_table(pa.table({"word": ["one", "two"]}), prompts)
    assert (
        loaded_by("build", prompts, "--model", "gemini-3.5-flash", "--prompt", "Say {{ word }}", "--out", run) == "[]"
    )
    assert loaded_by("check", run) == "[]"
    assert loaded_by("status", run).endswith("[]")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(geminate, command):
    finished = geminate(command, "--help")
    assert finished.code == 0
    assert finished.out.startswith("Usage: geminate " + command)


def test_the_version_is_told(geminate):
    import geminate as package

    assert package.__version__ in geminate("--version").out
