"""A world with an emulator, a reference run in it, and commands that can be made to die at any call."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest

from geminate.emulator import Emulator, EmulatorOptions
from geminate.emulator.server import reset_connection

HERE = Path(__file__).parent
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - Linux's own; elsewhere the usual folder serves.
SERVICE = "service"
STALL_S = 5
ODD = b'{"name": [], "batchPredictionJobs": "no", "completionStats": 3}'
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

    def run(self, cwd, argv, **how):
        return self.race(cwd, [argv], **how)[0]

    def race(self, cwd, commands, delays_s=(0, 0), **how):
        """How several commands ended that ran at the same time."""
        orders = [self._order(cwd, argv, number, **how) for number, argv in enumerate(commands)]
        for order, delay_s in zip(orders, delays_s, strict=False):
            order["delay_s"] = delay_s
        self._server.stdin.write(json.dumps({"together": orders}) + "\n")
        self._server.stdin.flush()
        codes = json.loads(self._server.stdout.readline())["codes"]
        return [_ended(order, code) for order, code in zip(orders, codes, strict=True)]

    def _order(self, cwd, argv, number, *, stdout=None, environment=(), **how):
        files = {name: str(self._folder / f"{name}-{number}") for name in ("stdout", "stderr", "calls")}
        files["stdout"] = stdout or files["stdout"]
        words = [str(word) for word in argv]
        usual = {"fault": None, "read_timeout_s": 30, "token": None, "service_port": None, "mutation": None}
        return {"cwd": str(cwd), "argv": words, "environment": dict(environment), **usual, **how, **files}

    def stop(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def _ended(order, code):
    out, err, calls = (
        Path(order[name]).read_text() if Path(order[name]).is_file() else "" for name in ("stdout", "stderr", "calls")
    )
    return Ended(code, out, err, json.loads(calls or "[]"))


class World:
    """A folder in which runs happen, and an emulator that outlives their processes."""

    def __init__(self, path, victims, port, faults=None):
        self.path = path
        self._victims = victims
        self.port = port
        self._faults = faults

    @property
    def emulator_path(self):
        return self.path / SERVICE

    @contextmanager
    def service(self, **options):
        settings = {"port": self.port, "pending_s": 0, "faults": self._faults, **options}
        with Emulator(self.emulator_path, EmulatorOptions(**settings)) as emulator:
            (emulator.buckets / "bucket").mkdir(exist_ok=True)
            yield emulator

    @contextmanager
    def proxy(self, faults):
        proxy = Proxy(self.port, faults)
        try:
            yield proxy
        finally:
            proxy.stop()

    @property
    def where(self):
        return self.reach(f"http://127.0.0.1:{self.port}")

    def reach(self, url):
        return ["--endpoint", url, "--buckets", self.emulator_path / "buckets", "--staging", "gs://bucket/staging"]

    def call(self, *argv, **how):
        return self._victims.run(self.path, argv, **how)

    def race(self, *commands, **how):
        return self._victims.race(self.path, commands, **how)

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
        """Everything that somebody could take for a whole file, but for the service's own and the ledger.

        Objects are named without the run, whose id is another each time.
        """
        own = {"run.sqlite", "run.sqlite-journal", "run.lock", "run.lock-journal", "preflight.txt"}
        paths = (path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file())
        return {
            Path(path.name) if path.parts[0] == SERVICE else path
            for path in paths
            if not any(part.startswith(".") for part in path.parts)
            and path.name not in own
            and path.parts[:2] != (SERVICE, "jobs")
            and "predictions" not in path.parts
        }


def _outcomes(path):
    rows = pq.read_table(path, columns=["key", "gemini_outcome"])
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


class Proxy(ThreadingHTTPServer):
    """What stands between the commands and the emulator's jobs, counts the calls, and spoils some of them.

    Words: ``CODE`` (``CODE echo`` repeats the token, and says a prompt), ``reset``, ``stall``, ``broken`` (the answer
    breaks off), ``corrupt`` (it is no JSON), ``odd`` (it is JSON of another kind). The service did what it was asked,
    unless ``before`` stands in front.

    Args:
        upstream: The emulator's port.
        faults: Words for each call, used up in turn; ``None`` lets one pass.
    """

    daemon_threads = True

    def __init__(self, upstream, faults):
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.upstream = upstream
        self.faults = {call: list(words) for call, words in faults.items()}
        self.seen = Counter()
        self.tokens = set()
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self):
        return "http://{}:{}".format(*self.server_address)

    def handle_error(self, *_):
        """Nothing: a client that died or lost patience is what these tests are about."""

    def stop(self):
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Forwarder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def forward(self):
        call = _name_call(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen[call] += 1
        self.server.tokens.add(self.headers["authorization"])
        words = self.server.faults.get(call)
        word = (words.pop(0) if words else None) or ""
        code, answer = 200, b"{}"
        if not word.startswith("before "):
            code, answer = self.ask(body)
        self.reply(word.removeprefix("before "), code, answer)

    do_GET = do_POST = do_DELETE = forward  # noqa: N815 the names that http.server calls

    def ask(self, body):
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)) as connection:
            headers = {"authorization": "Bearer x", "content-type": "application/json"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def reply(self, word, code, answer):
        if word == "reset":
            reset_connection(self)
            return
        if word == "stall":
            self.server.over.wait(STALL_S)
        if word[:3].isdigit():
            message = f"canaryprompt, {self.headers['authorization']}" if word.endswith("echo") else "as told"
            code, answer = int(word[:3]), json.dumps({"error": {"code": int(word[:3]), "message": message}}).encode()
        spoiled = {"broken": answer[:-9], "corrupt": bytes(byte ^ 0xA5 for byte in answer), "odd": ODD}.get(
            word, answer
        )
        self.close_connection = word == "broken"
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(max(len(spoiled), len(answer) if word == "broken" else 0)))
        if code == 429:
            self.send_header("retry-after", "7")
        self.end_headers()
        self.wfile.write(spoiled)

    def log_message(self, *_):
        """Nothing."""


def _name_call(method, path):
    path = path.partition("?")[0]
    if method == "POST":
        return "cancel" if path.endswith(":cancel") else "create"
    return "list" if path.endswith("/batchPredictionJobs") else "get"


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
        super().__init__(folder / "world", victims, 0, FAULTS)
        self._snapshots = folder / "snapshots"
        self.steps = {}
        self.path.mkdir(parents=True)
        with self.service() as emulator:
            self.port = int(emulator.url.rpartition(":")[2])
        rows = (f"p{n:04},word {n},{'' if n % 250 == 7 else n}\n" for n in range(PROMPTS))
        (self.path / "prompts.csv").write_text("key,word,number\n" + "".join(rows))

    def record(self, name, *argv):
        before = self._snapshots / name
        shutil.copytree(self.path, before)  # Nothing moves in it, since the service stands still.
        with self.service():
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
    world.record("run", *run)
    world.record("retry", "retry", RUN)
    world.record("again", *run, "--overwrite")
    return world


@pytest.fixture(scope="session")
def stepwise(quick_folder, victims):
    """The same run, a command for each step; and a join that needs no run."""
    world = Reference(quick_folder / "stepwise", victims)
    world.record("build", "build", "prompts.csv", *BUILD, "--out", RUN)
    world.record("submit", "submit", RUN, *world.where)
    world.record("wait", "wait", RUN)
    world.record("collect", "collect", RUN, "-o", "rows.parquet")
    world.record("retry", "retry", RUN)
    world.record("wait again", "wait", RUN)
    predictions = next(world.emulator_path.glob("buckets/bucket/staging/*/predictions"))
    world.record("join", "join", "--inputs", "prompts.csv", "--predictions", predictions, "-o", "joined.parquet")
    return world
