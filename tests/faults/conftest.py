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
PROMPTS, SHARD_ROWS = 1_000, 334
# First attempts meet a quota now and then, second ones never; some rows are blocked for good.
SPEC = ["--model", "gemini-3.5-flash", "--prompt", "Say {{ word }} and {{ number }}"]
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

    def run(self, cwd, argv, fault=None):
        files = {name: str(self._folder / name) for name in ("stdout", "stderr", "calls")}
        order = {"cwd": str(cwd), "argv": [str(word) for word in argv], "fault": fault, **files}
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        code = json.loads(self._server.stdout.readline())["code"]
        out, err, calls = (Path(path).read_text() for path in files.values())
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
        return self.path / "service"

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

    def call(self, *argv, fault=None):
        return self._victims.run(self.path, argv, fault)

    def restore(self, snapshot):
        shutil.rmtree(self.path)
        shutil.copytree(snapshot, self.path)

    def jobs(self):
        """How many paid jobs there are for each attempt."""
        files = (self.emulator_path / "jobs").glob("[!.]*.json")
        labels = (json.loads(file.read_bytes())["body"]["labels"] for file in files)
        return Counter(label["geminate_attempt"].removeprefix(label["geminate_run"]) for label in labels)

    def outcomes(self, out="rows.parquet"):
        rows = pq.read_table(self.path / out, columns=["key", "gemini_outcome"])
        return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def litter(self):
        """Everything visible that is no whole file of a run, an output or the service."""
        return [
            path.relative_to(self.path)
            for path in self.path.rglob("*")
            if self.emulator_path not in path.parents and path.name.startswith(".")
        ]


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
    """One command of the reference run: the world before it, what it changed, what it came to."""

    argv: list
    before: Path
    code: int
    calls: list
    outcomes: list
    jobs: Counter


class Reference(World):
    """A world, and each command of a reference run that nothing disturbed."""

    steps: dict[str, Step]

    def record(self, name, snapshots, *argv):
        before = snapshots / name
        shutil.copytree(self.path, before)
        ended = self.call(*argv)
        assert ended.code in {0, 3}, ended.err
        self.steps[name] = Step(argv, before, ended.code, ended.calls, self.outcomes(), self.jobs())


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory):
    """A folder whose files need no disk, where there is one: what is tested is the order of calls, not the disk."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        return tmp_path_factory.mktemp("quick")
    with TemporaryDirectory(prefix="geminate-tests-", dir=SHARED_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def reference(quick_folder, victims):
    world = Reference(quick_folder / "world", victims, free_port(), FAULTS)
    world.path.mkdir()
    rows = (f"p{n:04},word {n},{'' if n % 250 == 7 else n}\n" for n in range(PROMPTS))
    (world.path / "prompts.csv").write_text("key,word,number\n" + "".join(rows))
    world.steps = {}
    run = [
        "run",
        "prompts.csv",
        *SPEC,
        "--shard-rows",
        SHARD_ROWS,
        "--max-running",
        2,
        *world.where,
        "-o",
        "rows.parquet",
    ]
    snapshots = quick_folder / "snapshots"
    with world.service():
        world.record("run", snapshots, *run)
        world.record("retry", snapshots, "retry", "rows.parquet.run")
        world.record("again", snapshots, *run, "--overwrite")
    return world
