"""What is published works without the tree it was built from."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_run_from_the_wheel_alone(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    (tmp_path / "prompts.csv").write_text("word\ntyrant\n")
    where = subprocess.check_output(
        [sys.executable, "-c", "import geminate; print(geminate.__file__)"], env=environment, text=True
    )
    assert where.startswith(str(tmp_path))
    command = [sys.executable, "-m", "geminate", "run", "prompts.csv", "--emulate", "-o", "rows.jsonl"]
    command += ["--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}."]
    finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert '"gemini_outcome":"ok"' in (tmp_path / "rows.jsonl").read_text()
