"""A job service in memory and a clock that only moves when told."""

import itertools

import pytest

from geminate.adapters.folder import FolderStore
from geminate.connect import Outside
from geminate.errors import InputError
from geminate.ledger import Attempt, Ledger
from geminate.pipeline.run_folder.folder import Manifest, PromptsRecord, RunFolder, ShardRecord


class MemoryJobs:
    """A ``JobService`` whose create calls can be told to fail, before the job is made or after."""

    def __init__(self):
        self.made = {}
        self.posts = 0
        self.faults = []
        self.shown_after = {}
        self.lists = 0
        self._numbers = itertools.count(1)

    def create(self, body):
        self.posts += 1
        commits, error = self.faults.pop(0) if self.faults else (True, None)
        job = None
        if commits:
            name = f"projects/p/locations/l/batchPredictionJobs/{next(self._numbers)}"
            job = {"name": name, "state": "JOB_STATE_PENDING", **body}
            self.made[name] = job
        if error is not None:
            raise error
        return job

    def get(self, job_name):
        return self.made.get(job_name)

    def list(self, filter_text):
        self.lists += 1
        label, _, value = filter_text.removeprefix("labels.").partition("=")
        for job in reversed(self.made.values()):
            if job["labels"].get(label) == value.strip('"') and self.lists > self.shown_after.get(job["name"], 0):
                yield job

    def cancel(self, job_name):
        if self.made[job_name]["state"] != "JOB_STATE_PENDING":
            raise InputError("finished")
        self.made[job_name]["state"] = "JOB_STATE_CANCELLED"


class ManualClock:
    def __init__(self):
        self.time = 1_000.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def random(self):
        return 0.5


@pytest.fixture
def jobs():
    return MemoryJobs()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def outside(jobs, tmp_path):
    return Outside(FolderStore(tmp_path / "buckets"), jobs, lambda: pytest.fail("no table is asked for"), "p")


@pytest.fixture
def built(tmp_path):
    """A run of two shards, as a build leaves it."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    names = ["00000", "00001"]
    for name in names:
        folder.requests_path(name).write_bytes(b'{"key":"a","request":{}}\n')
    shards = tuple(ShardRecord(name, 1, 25, "0" * 64, 1) for name in names)
    manifest = Manifest(
        "0", "", "run1", "gemini-3.5-flash", "f", PromptsRecord(2, 0, "", ()), "key", True, (), shards, ()
    )
    attempts = [Attempt(f"run1-{name}-1", name, 1, "planned") for name in names]
    Ledger.create(folder.path, {"run_id": "run1"}, attempts)
    return folder, manifest
