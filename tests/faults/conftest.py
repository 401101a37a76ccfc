"""A world with an emulator, a reference run in it, and commands that can be made to die at any call."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest

from geminate.emulator import Emulator, EmulatorOptions

HERE = Path(__file__).parent
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - Linux's own; elsewhere the usual folder serves.
SERVICE = "service"
PROMPTS, SHARD_ROWS = 1_000, 334
# First attempts meet a quota now and then, second ones never; some rows are blocked for good.
RUN = "rows.parquet.run"
BUILD = ["--model", "gemini-3.5-flash", "--prompt", "Say {{ word }} and {{ number }}", "--shard-rows", SHARD_ROWS]
FAULTS = {
    "jobs": [{"display_name": "*-1", "rows": [{"status": "RESOURCE_EXHAUSTED", "rate": 0.02}]}],
    "rows": [{"answer": "BLOCKED", "keys": "p0?25"}],
}


@dataclass
class Ended:
    """How a command ended: its exit code, negative for a signal; what it said; what it changed outside."""

    code: int
    out: str
    err: str
    calls: list = field(default_factory=list)


class Victims:
    """Commands in processes of their own, forked from one that has everything imported."""

    def __init__(self, folder):
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, HERE / "victim.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert json.loads(self._server.stdout.readline())["ready"]

    def run(self, cwd, argv, fault=None, stdout=None):
        files = {name: str(self._folder / name) for name in ("stdout", "stderr", "calls")}
        files["stdout"] = stdout or files["stdout"]
        order = {"cwd": str(cwd), "argv": [str(word) for word in argv], "fault": fault, **files}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        code = json.loads(self._server.stdout.readline())["code"]
        out, err, calls = (Path(path).read_text() if path != stdout else "" for path in files.values())
        return Ended(code, out, err, json.loads(calls or "[]"))

    def stop(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


class World:
    """A folder in which runs happen, and an emulator that outlives their processes."""

    def __init__(self, path, victims, port, faults=None):
        self.path = path
        self._victims = victims
        self._port = port
        self._faults = faults

    @property
    def emulator_path(self):
        return self.path / SERVICE

    @contextmanager
    def service(self, **options):
        settings = {"port": self._port, "pending_s": 0, "faults": self._faults, **options}
        with Emulator(self.emulator_path, EmulatorOptions(**settings)) as emulator:
            (emulator.buckets / "bucket").mkdir(exist_ok=True)
            yield emulator

    @property
    def where(self):
        url, buckets = f"http://127.0.0.1:{self._port}", self.emulator_path / "buckets"
        return ["--endpoint", url, "--buckets", buckets, "--staging", "gs://bucket/staging"]

    def call(self, *argv, **how):
        return self._victims.run(self.path, argv, **how)

    def restore(self, snapshot):
        shutil.rmtree(self.path)
        shutil.copytree(snapshot, self.path)

    def jobs(self):
        """How many paid jobs there are for each attempt."""
        files = (self.emulator_path / "jobs").glob("[!.]*.json")
        labels = (json.loads(file.read_bytes())["body"]["labels"] for file in files)
        return Counter(label["geminate_attempt"].removeprefix(label["geminate_run"]) for label in labels)

    def outcomes(self, folder=None):
        """The key and outcome of every row of every output."""
        return {path.name: _outcomes(path) for path in sorted((folder or self.path).glob("*.parquet"))}

    def visible(self):
        """Everything that somebody could take for a whole file, but for the service's own and the ledger."""
        own = {"run.sqlite", "run.lock"}
        paths = (path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file())
        return {
            path
            for path in paths
            if not any(part.startswith(".") for part in path.parts)
            and path.name not in own
            and path.parts[:2] != (SERVICE, "jobs")
            and "predictions" not in path.parts
        }


def _outcomes(path):
    rows = pq.read_table(path, columns=["key", "gemini_outcome"])
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def victims(tmp_path_factory):
    victims = Victims(tmp_path_factory.mktemp("victims"))
    yield victims
    victims.stop()


@dataclass
class Step:
    """One command of a reference run: the world before it, what it changed, what it came to."""

    argv: list
    before: Path
    code: int
    calls: list
    outcomes: dict
    jobs: Counter
    visible: set


class Reference(World):
    """A world, and each command of a run in it that nothing disturbed."""

    def __init__(self, folder, victims):
        super().__init__(folder / "world", victims, free_port(), FAULTS)
        self._snapshots = folder / "snapshots"
        self.steps = {}
        self.path.mkdir(parents=True)
        rows = (f"p{n:04},word {n},{'' if n % 250 == 7 else n}\n" for n in range(PROMPTS))
        (self.path / "prompts.csv").write_text("key,word,number\n" + "".join(rows))

    def record(self, name, *argv):
        before = self._snapshots / name
        shutil.copytree(self.path, before)
        ended = self.call(*argv)
        assert ended.code in {0, 3}, ended.err
        self.steps[name] = Step(argv, before, ended.code, ended.calls, self.outcomes(), self.jobs(), self.visible())


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory):
    """A folder whose files need no disk, where there is one: what is tested is the order of calls, not the disk."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        yield tmp_path_factory.mktemp("quick")
        return
    with TemporaryDirectory(prefix="geminate-tests-", dir=SHARED_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def reference(quick_folder, victims):
    """A run by ``geminate run``, one retry, and its rows once more."""
    world = Reference(quick_folder / "whole", victims)
    run = ["run", "prompts.csv", *BUILD, "--max-running", 2, *world.where, "-o", "rows.parquet"]
    with world.service():
        world.record("run", *run)
        world.record("retry", "retry", RUN)
        world.record("again", *run, "--overwrite")
    return world


@pytest.fixture(scope="session")
def stepwise(quick_folder, victims):
    """The same run, a command for each step; and a join that needs no run."""
    world = Reference(quick_folder / "stepwise", victims)
    with world.service():
        world.record("build", "build", "prompts.csv", *BUILD, "--out", RUN)
        world.record("submit", "submit", RUN, *world.where)
        world.record("wait", "wait", RUN)
        world.record("collect", "collect", RUN, "-o", "rows.parquet")
        world.record("retry", "retry", RUN)
        predictions = next(world.emulator_path.glob("buckets/bucket/staging/*/predictions"))
        world.record("join", "join", "--inputs", "prompts.csv", "--predictions", predictions, "-o", "joined.parquet")
    return world
