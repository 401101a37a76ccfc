import itertools

import pytest

from geminate.errors import InputError, TransientError
from geminate.ledger import Ledger
from geminate.pipeline.pace.patience import DOUBT_GRACE_S
from geminate.pipeline.submit import SubmitOptions, Submitter
from geminate.pipeline.submitting.staging import Stager
from geminate.pipeline.wait import Doubt, PollOptions, cancel_jobs, look_at_jobs, wait_for_jobs

POLL = PollOptions(5.0, 300.0)


@pytest.fixture
def ledger(built, outside, clock):
    folder, manifest = built
    with Ledger(folder.path) as ledger:
        stager = Stager(folder, manifest, ledger, outside.store, "gs://bucket/s", clock)
        Submitter(stager, ledger, outside.jobs, clock, SubmitOptions()).submit()
        yield ledger


class Ending:
    """Jobs that end after some questions."""

    fault = TransientError("no answer")

    def __init__(self, jobs, questions, faults=0):
        self.jobs, self.questions, self.faults, self.asked = jobs, questions, faults, 0

    def get(self, job_name):
        self.asked += 1
        if self.asked <= self.faults:
            raise self.fault
        state = "JOB_STATE_SUCCEEDED" if self.asked > self.questions else "JOB_STATE_RUNNING"
        return {**self.jobs.made[job_name], "state": state, "completionStats": {"successfulCount": "1"}}


def test_waiting_ends_when_every_job_has(ledger, jobs, clock):
    seen = []
    ended = wait_for_jobs(ledger, Ending(jobs, 5), clock, POLL, seen.append)
    assert [job.state for job in ended] == ["JOB_STATE_SUCCEEDED"] * 2
    assert [attempt.state for attempt in ledger.attempts()] == ["ended"] * 2
    assert (seen[-1].done, seen[-1].total) == (2, 2)


def test_a_job_that_ended_is_not_asked_about_again(ledger, jobs, clock):
    wait_for_jobs(ledger, Ending(jobs, 0), clock, POLL)
    again = Ending(jobs, 0)
    assert len(wait_for_jobs(ledger, again, clock, POLL)) == 2
    assert again.asked == 0


def test_the_pauses_grow_up_to_the_ceiling(ledger, jobs, clock):
    pauses = []
    clock.sleep = pauses.append
    wait_for_jobs(ledger, Ending(jobs, 40), clock, POLL)
    assert pauses[:4] == [2.5, 5.0, 10.0, 20.0]
    assert max(pauses) == 150.0


def test_a_service_that_is_silent_for_a_while_is_waited_for(ledger, jobs, clock):
    assert len(wait_for_jobs(ledger, Ending(jobs, 0, faults=10), clock, POLL)) == 2


def test_a_service_that_is_silent_for_good_is_given_up(ledger, jobs, clock):
    with pytest.raises(TransientError):
        wait_for_jobs(ledger, Ending(jobs, 0, faults=10_000), clock, POLL)


def test_a_job_of_which_nothing_is_said_holds_up_no_other(ledger, jobs, clock):
    dumb, *_ = jobs.made
    get = Ending(jobs, 3).get
    jobs.get = lambda name: (
        (_ for _ in ()).throw(TransientError("no answer", where=name)) if name == dumb else get(name)
    )
    with pytest.raises(TransientError, match=dumb):
        wait_for_jobs(ledger, jobs, clock, POLL)
    assert [attempt.state for attempt in ledger.attempts()] == ["committed", "ended"]
    jobs.get = get
    assert [job.state for job in wait_for_jobs(ledger, jobs, clock, POLL)] == ["JOB_STATE_SUCCEEDED"] * 2


def test_several_silent_jobs_are_told_as_one_trouble(ledger, jobs, clock):
    jobs.get = lambda name: (_ for _ in ()).throw(TransientError("busy", where=name, retry_after_s=float(name[-1])))
    look = look_at_jobs(ledger, jobs, clock)
    assert "2 jobs gave no answer" in look.trouble.sentence
    assert look.trouble.retry_after_s == 2.0
    assert len(look.unfinished) == 2


def test_a_job_that_was_deleted_has_ended_and_holds_up_no_other(ledger, jobs, clock):
    deleted = jobs.made.pop(next(iter(jobs.made)))
    jobs.made[ledger.attempts()[1].job_name]["state"] = "JOB_STATE_SUCCEEDED"
    gone, done = wait_for_jobs(ledger, jobs, clock, POLL)
    assert (gone.name, gone.state, gone.succeeded) == (deleted["name"], "DELETED", False)
    assert "deleted it" in gone.error
    assert done.state == "JOB_STATE_SUCCEEDED"
    assert [attempt.state for attempt in ledger.attempts()] == ["ended"] * 2


def test_one_look_that_does_not_find_a_job_ends_none(ledger, jobs, clock):
    clock.time += 2 * DOUBT_GRACE_S
    jobs.made = {}
    look = look_at_jobs(ledger, jobs, clock)
    assert len(look.unfinished) == len(look.silences) == 2


def test_a_running_job_that_is_not_found_now_and_then_is_not_taken_for_deleted(ledger, jobs, clock):
    hidden, none, looks = jobs.made, {}, itertools.count(1)
    for job in hidden.values():
        job["state"] = "JOB_STATE_RUNNING"

    def look_away(_progress):
        look = next(looks)
        jobs.made = none if look % 2 else hidden
        if look == 12:
            for job in hidden.values():
                job["state"] = "JOB_STATE_SUCCEEDED"

    ended = wait_for_jobs(ledger, jobs, clock, PollOptions(600.0, 600.0), look_away)
    assert [job.state for job in ended] == ["JOB_STATE_SUCCEEDED"] * 2


def test_a_job_is_taken_for_deleted_only_after_the_grace(ledger, jobs, clock):
    jobs.made = {}
    pauses, sleep = [], clock.sleep
    clock.sleep = lambda seconds: (pauses.append(seconds), sleep(seconds))
    assert [job.state for job in wait_for_jobs(ledger, jobs, clock, POLL)] == ["DELETED"] * 2
    assert sum(pauses) >= DOUBT_GRACE_S > sum(pauses[:-1])


def test_a_job_that_is_listed_was_not_deleted(ledger, jobs, clock):
    jobs.get = lambda _: None
    assert look_at_jobs(ledger, jobs, clock, Doubt(0.0, {"run1-00000-1": 0.0})).trouble is None
    assert [attempt.state for attempt in ledger.attempts()] == ["committed"] * 2


def test_a_deleted_job_cannot_be_cancelled_and_is_left_alone(ledger, jobs, clock):
    jobs.cancel = lambda _: (_ for _ in ()).throw(InputError("not found"))
    jobs.made.clear()
    assert cancel_jobs(ledger, jobs, clock) == 0


def test_a_service_that_asks_to_be_left_alone_is(ledger, jobs, clock):
    pauses = []
    clock.sleep = pauses.append
    ending = Ending(jobs, 0, faults=1)
    ending.fault = TransientError("busy", retry_after_s=600.0)
    wait_for_jobs(ledger, ending, clock, POLL)
    assert pauses == [602.5]


def test_a_silent_job_that_asks_to_be_left_alone_holds_up_no_other(ledger, jobs, clock):
    (dumb, *_), get, pauses = jobs.made, Ending(jobs, 3).get, []
    busy = TransientError("busy", retry_after_s=3600.0)
    jobs.get = lambda name: (_ for _ in ()).throw(busy) if name == dumb and len(pauses) < 5 else get(name)
    clock.sleep = pauses.append
    assert len(wait_for_jobs(ledger, jobs, clock, POLL)) == 2
    assert pauses == [2.5, 5.0, 10.0, 3620.0, 3640.0]


def test_cancelling_asks_once_for_each_running_job(ledger, jobs, clock):
    assert cancel_jobs(ledger, jobs, clock) == 2
    assert {job["state"] for job in jobs.made.values()} == {"JOB_STATE_CANCELLED"}
    assert cancel_jobs(ledger, jobs, clock) == 0


def test_cancelling_is_asked_again_when_nobody_answers(ledger, jobs, clock):
    answers = [TransientError("no answer")] * 3
    cancel, jobs.cancel = jobs.cancel, lambda name: (_ for _ in ()).throw(answers.pop()) if answers else cancel(name)
    assert cancel_jobs(ledger, jobs, clock) == 2


def test_a_cancellation_that_came_through_unanswered_is_no_refusal(ledger, jobs, clock):
    def lose(name):
        refused = jobs.made[name]["state"] != "JOB_STATE_PENDING"
        jobs.made[name]["state"] = "JOB_STATE_CANCELLING"
        raise InputError("it is being cancelled") if refused else TransientError("no answer")

    jobs.cancel = lose
    assert cancel_jobs(ledger, jobs, clock) == 2


def test_a_cancellation_that_is_refused_is_told(ledger, jobs, clock):
    jobs.cancel = lambda _: (_ for _ in ()).throw(InputError("not today"))
    with pytest.raises(InputError, match="not today"):
        cancel_jobs(ledger, jobs, clock)


def test_a_short_wait_is_silent(ledger, jobs, clock):
    seen = []
    wait_for_jobs(ledger, Ending(jobs, 3), clock, POLL, seen.append)
    assert not any(progress.notice for progress in seen)


def test_what_is_waited_for_is_told_once_after_a_minute(ledger, jobs, clock):
    seen = []
    wait_for_jobs(ledger, Ending(jobs, 40), clock, POLL, seen.append)
    assert [progress.notice for progress in seen if progress.notice] == [
        "waiting for 2 of 2 jobs; geminate status shows them at any time"
    ]
