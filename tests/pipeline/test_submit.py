import json
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from geminate.errors import AccessError, InputError, TargetError, TransientError
from geminate.ledger import Ledger
from geminate.pipeline.run_folder.folder import RunFolder
from geminate.pipeline.submit import SubmitOptions, Submitter
from geminate.pipeline.submitting.staging import Stager
from geminate.pipeline.wait import refresh_jobs
from geminate.wire.jobs import ATTEMPT_LABEL

LOST = TransientError("the connection broke")
OPTIONS = SubmitOptions(doubt_grace_s=30.0)


@contextmanager
def submitter(built, outside, clock, options=OPTIONS):
    folder, manifest = built
    with Ledger(folder.path) as ledger:
        stager = Stager(folder, manifest, ledger, outside.store, "gs://bucket/staging", clock)
        yield Submitter(stager, ledger, outside.jobs, clock, options)


def submit(built, outside, clock, options=OPTIONS):
    with submitter(built, outside, clock, options) as submitting:
        return submitting.submit()


def labels(jobs):
    return sorted(job["labels"][ATTEMPT_LABEL] for job in jobs.made.values())


def test_every_shard_becomes_one_labelled_job_over_its_staged_lines(built, outside, jobs, clock):
    attempts = submit(built, outside, clock)
    assert [attempt.state for attempt in attempts] == ["committed", "committed"]
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]
    body = jobs.made[attempts[0].job_name]
    (uri,) = body["inputConfig"]["gcsSource"]["uris"]
    info = outside.store.stat(uri)
    assert b"".join(outside.store.read(info)) == built[0].requests_path("00000").read_bytes()
    assert attempts[0].input_generation == info.generation
    prefixes = {job["outputConfig"]["gcsDestination"]["outputUriPrefix"] for job in jobs.made.values()}
    assert len(prefixes) == 2


def test_submitting_again_makes_no_second_job(built, outside, jobs, clock):
    submit(built, outside, clock)
    submit(built, outside, clock)
    assert jobs.posts == 2


def test_a_job_made_by_a_call_without_an_answer_is_found_and_adopted(built, outside, jobs, clock):
    jobs.faults = [(True, LOST)]
    attempts = submit(built, outside, clock)
    assert jobs.posts == 2
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]
    assert attempts[0].job_name in jobs.made


def test_a_job_that_the_list_shows_late_is_waited_for(built, outside, jobs, clock):
    jobs.faults = [(True, LOST)]
    jobs.shown_after = {"projects/p/locations/l/batchPredictionJobs/1": 5}
    submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]


def test_a_call_that_made_no_job_is_made_again_after_the_grace(built, outside, jobs, clock):
    jobs.faults = [(False, LOST)]
    before = clock.now()
    submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]
    assert clock.now() - before >= OPTIONS.doubt_grace_s


def test_without_leave_to_post_again_the_doubt_is_reported(built, outside, jobs, clock):
    jobs.faults = [(False, LOST)]
    with pytest.raises(TransientError, match="no clear end"):
        submit(built, outside, clock, SubmitOptions(30.0, post_again=False))
    assert jobs.posts == 1


def test_calls_that_never_get_through_end_and_are_resumed(built, outside, jobs, clock):
    jobs.faults = [(False, LOST)] * 3
    with pytest.raises(TransientError, match="run the same command again"):
        submit(built, outside, clock)
    assert jobs.posts == 3
    submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]


def test_the_grace_begins_when_a_call_is_given_up_not_when_it_was_begun(built, outside, jobs, clock):
    class Slow(type(jobs)):
        def create(self, body):
            clock.sleep(2 * OPTIONS.doubt_grace_s)
            return super().create(body)

    slow = Slow()
    slow.faults = [(True, LOST)]
    slow.shown_after = {"projects/p/locations/l/batchPredictionJobs/1": 5}
    submit(built, replace(outside, jobs=slow), clock)
    assert labels(slow) == ["run1-00000-1", "run1-00001-1"]


def test_an_answer_that_names_no_job_is_doubt(built, outside, jobs, clock):
    class Mute(type(jobs)):
        def create(self, body):
            answer = super().create(body)
            return {} if self.posts == 1 else answer

    mute = Mute()
    attempts = submit(built, replace(outside, jobs=mute), clock)
    assert labels(mute) == ["run1-00000-1", "run1-00001-1"]
    assert {attempt.job_name for attempt in attempts} == set(mute.made)


@pytest.mark.parametrize("error", [InputError("no such model"), AccessError("no role")])
def test_a_refusal_ends_at_once_and_can_be_submitted_after_the_remedy(built, outside, jobs, clock, error):
    jobs.faults = [(False, error)]
    with pytest.raises(type(error), match=error.what):
        submit(built, outside, clock)
    assert jobs.posts == 1
    submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]


WINDOW = SubmitOptions(30.0, max_running=1)


def end(built, jobs, clock):
    for job in jobs.made.values():
        job["state"] = "JOB_STATE_SUCCEEDED"
    with Ledger(built[0].path) as ledger:
        refresh_jobs(ledger, jobs, clock)


def test_a_window_keeps_shards_back_until_a_job_has_ended(built, outside, jobs, clock):
    assert [attempt.state for attempt in submit(built, outside, clock, WINDOW)] == ["committed", "planned"]
    assert [attempt.state for attempt in submit(built, outside, clock, WINDOW)] == ["committed", "planned"]
    assert outside.store.stat("gs://bucket/staging/run1/requests-00001.jsonl") is None
    end(built, jobs, clock)
    assert [attempt.state for attempt in submit(built, outside, clock, WINDOW)] == ["ended", "committed"]
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]


@pytest.mark.parametrize("commits", [True, False])
def test_a_job_in_doubt_is_settled_before_the_window_counts(built, outside, jobs, clock, commits):
    jobs.faults = [(commits, Killed())]
    with pytest.raises(Killed):
        submit(built, outside, clock, WINDOW)
    assert [attempt.state for attempt in submit(built, outside, clock, WINDOW)] == ["committed", "planned"]
    assert labels(jobs) == ["run1-00000-1"]


def test_uploads_run_ahead_of_the_calls_and_a_failed_one_stops_them_in_its_place(built, outside, jobs, clock, tmp_path):
    (tmp_path / "buckets/bucket/staging/run1").mkdir(parents=True)
    (tmp_path / "buckets/bucket/staging/run1/requests-00001.jsonl").write_bytes(b"other")
    with pytest.raises(TargetError, match="requests-00001"):
        submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1"]


def test_a_refused_call_gives_up_the_uploads_that_are_ahead(built, outside, jobs, clock, monkeypatch):
    folder, _ = built
    monkeypatch.setattr("geminate.formats.line_files.PIECE_BYTES", 1)
    folder.requests_path("00001").write_bytes(b"x" * 1000)
    taken, write = [], outside.store.write

    def write_slowly(uri, pieces):
        def iter_slowly():
            for piece in pieces:
                taken.append(piece)
                time.sleep(0.01)
                yield piece

        return write(uri, iter_slowly() if "00001" in uri else pieces)

    monkeypatch.setattr(outside.store, "write", write_slowly)
    jobs.faults = [(False, InputError("no such model"))]
    with pytest.raises(InputError, match="no such model"):
        submit(built, outside, clock)
    assert len(taken) < 1000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("geminate-upload")]
    assert [info.uri for info in outside.store.list("gs://bucket/")] == [
        "gs://bucket/staging/run1/requests-00000.jsonl"
    ]


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("commits", [True, False])
def test_a_process_killed_in_the_call_leaves_one_job_after_the_next(built, outside, jobs, clock, commits):
    jobs.faults = [(commits, Killed())]
    with pytest.raises(Killed):
        submit(built, outside, clock)
    submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]
    assert jobs.posts == (2 if commits else 3)


def test_lines_uploaded_before_a_kill_are_used(built, outside, clock):
    folder, _ = built
    uri = "gs://bucket/staging/run1/requests-00000.jsonl"
    info = outside.store.write(uri, [folder.requests_path("00000").read_bytes()])
    attempts = submit(built, outside, clock)
    assert attempts[0].input_generation == info.generation


def test_a_foreign_object_in_the_way_is_neither_used_nor_replaced(built, outside, jobs, clock):
    info = outside.store.write("gs://bucket/staging/run1/requests-00000.jsonl", [b"someone else's bytes here"])
    with pytest.raises(TargetError, match="exists already"):
        submit(built, outside, clock)
    assert jobs.posts == 0
    assert b"".join(outside.store.read(info)) == b"someone else's bytes here"


def test_the_intent_is_durable_before_the_call(built, outside, jobs, clock):
    folder, _ = built
    seen = []

    class Watching(type(jobs)):
        def create(self, body):
            with Ledger(folder.path, lock=False) as ledger:
                seen.append([(a.state, json.loads(a.body)) for a in ledger.attempts() if a.body][-1])
            return super().create(body)

    watching = Watching()
    submit(built, replace(outside, jobs=watching), clock)
    bodies = [{k: v for k, v in job.items() if k not in {"name", "state"}} for job in watching.made.values()]
    assert seen == [("intended", body) for body in bodies]


def test_no_call_is_made_again_while_nobody_can_say_whether_there_is_a_job(built, outside, jobs, clock):
    jobs.faults = [(True, Killed())]
    with pytest.raises(Killed):
        submit(built, outside, clock)

    def unanswered(_):
        raise TransientError("no answer")

    lists, jobs.list = jobs.list, unanswered
    with pytest.raises(TransientError, match="no answer"):
        submit(built, outside, clock)
    assert jobs.posts == 1
    jobs.list = lists
    submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]
    assert jobs.posts == 2


def test_a_service_that_asks_for_time_gets_it_before_the_next_call(built, outside, jobs, clock):
    jobs.faults = [(False, TransientError("busy", retry_after_s=500.0))]
    before = clock.now()
    submit(built, outside, clock)
    assert clock.now() - before >= 500.0
    assert jobs.posts == 3


@pytest.mark.parametrize(
    "commits, states, abandoned", [(True, ["committed", "abandoned"], 1), (False, ["abandoned", "abandoned"], 2)]
)
def test_abandoning_first_looks_for_a_job_in_doubt_and_makes_none(
    built, outside, jobs, clock, *, commits, states, abandoned
):
    jobs.faults = [(commits, Killed())]
    with pytest.raises(Killed):
        submit(built, outside, clock)
    with submitter(built, outside, clock) as submitting:
        assert submitting.abandon() == abandoned
        assert submitting.abandon() == 0
    assert [attempt.state for attempt in submit(built, outside, clock)] == states
    assert jobs.posts == 1


def test_a_job_that_a_copy_of_the_folder_made_is_adopted(built, outside, jobs, clock, tmp_path):
    folder, manifest = built
    copy = RunFolder(tmp_path / "copy")
    shutil.copytree(folder.path, copy.path)
    submit((copy, manifest), outside, clock, WINDOW)
    attempts = submit(built, outside, clock)
    assert labels(jobs) == ["run1-00000-1", "run1-00001-1"]
    assert jobs.posts == 2
    assert attempts[0].input_generation == outside.store.stat(attempts[0].input_uri).generation
    attempts = submit((copy, manifest), outside, clock)
    assert [attempt.job_name for attempt in attempts] == list(jobs.made)
    assert jobs.posts == 2
