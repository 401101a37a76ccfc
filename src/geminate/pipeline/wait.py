"""Wait, status and cancel: what becomes of a run's jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial

from geminate.errors import InputError, TransientError
from geminate.ledger import SETTLED, Attempt, Ledger
from geminate.pipeline.pace.patience import call_patiently, pause
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.ports import Clock, JobService
from geminate.wire.jobs import CANCELLING_STATE, Job, decode_job

_MAX_SILENT_ROUNDS = 20
_TELL_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class PollOptions:
    """How often jobs are asked about: full jitter between nothing and a ceiling that doubles.

    Attributes:
        first_interval_s: The first ceiling.
        max_interval_s: The last one.
        unfinished: How many jobs may still be unfinished when waiting ends.
    """

    first_interval_s: float = 5.0
    max_interval_s: float = 300.0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One attempt and its job, None where there is no job yet."""

    attempt: Attempt
    job: Job | None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands.

    Attributes:
        attempts: Its attempts, each with its job.
        trouble: Why they are as they were last seen, and not as they are now; None where they are.
    """

    attempts: list[JobStatus]
    trouble: TransientError | None = None

    @property
    def left_to_submit(self) -> int:
        """How many attempts have no job yet, because others have to end first or something came between."""
        return sum(status.attempt.state not in SETTLED for status in self.attempts)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many jobs were asked to end, and how many attempts will get no job."""

    asked: int
    abandoned: int


def wait_for_jobs(
    ledger: Ledger, jobs: JobService, clock: Clock, options: PollOptions, notify: Notify = silent
) -> list[Job]:
    """The jobs of the run, all but ``options.unfinished`` of them in a final state.

    There is no time limit: the service itself ends a job. Ending this early leaves the jobs as they are. A service that
    asks to be left alone for a while is. After a minute a notice says once what is waited for.

    Raises:
        TransientError: The service did not answer over many rounds.
    """
    tell_at = clock.now() + _TELL_AFTER_S
    ceiling_s = options.first_interval_s
    silent_rounds = 0
    while True:
        silence = None
        try:
            attempts = refresh_jobs(ledger, jobs, clock)
            silent_rounds = 0
        except TransientError as error:
            silence = error
            silent_rounds += 1
            if silent_rounds == _MAX_SILENT_ROUNDS:
                raise
        else:
            progress, unfinished = _progress(attempts), sum(attempt.state == "committed" for attempt in attempts)
            if unfinished <= options.unfinished:
                notify(progress)
                return [job_of(attempt) for attempt in attempts if attempt.job_name]
            if clock.now() >= tell_at:
                tell_at = float("inf")
                notice = f"waiting for {unfinished:,} of {len(attempts):,} jobs; geminate status shows them at any time"
                progress = replace(progress, notice=notice)
            notify(progress)
        pause(clock, ceiling_s, silence)
        ceiling_s = min(ceiling_s * 2, options.max_interval_s)


def refresh_jobs(ledger: Ledger, jobs: JobService, clock: Clock) -> list[Attempt]:
    """The attempts, those with an unfinished job as the service shows them now."""
    for attempt in ledger.attempts():
        if attempt.state == "committed":
            answer = jobs.get(attempt.job_name)
            ledger.record_job(attempt, answer, at=clock.now())
            job = decode_job(answer)
            if job.is_terminal:
                ledger.advance(attempt, "ended", at=clock.now(), note=job.state)
    return ledger.attempts()


def cancel_jobs(ledger: Ledger, jobs: JobService, clock: Clock) -> int:
    """How many jobs were asked to end. One that ended meanwhile is left alone."""
    asked = 0
    for attempt in ledger.attempts():
        if attempt.state == "committed":
            asked += call_patiently(partial(_cancel, jobs, attempt.job_name), clock)
    return asked


def _cancel(jobs: JobService, job_name: str) -> bool:
    try:
        jobs.cancel(job_name)
    except InputError:
        job = decode_job(jobs.get(job_name))
        # The first call may have come through without an answer.
        is_asked = job.state == CANCELLING_STATE
        if not is_asked and not job.is_terminal:
            raise
        return is_asked
    return True


def job_of(attempt: Attempt) -> Job:
    """The attempt's job as the service last described it."""
    return decode_job(json.loads(attempt.job))


def _progress(attempts: list[Attempt]) -> Progress:
    jobs = [job_of(attempt) for attempt in attempts if attempt.job_name]
    ended = sum(job.is_terminal for job in jobs)
    rows = sum((job.successful or 0) + (job.failed or 0) for job in jobs)
    known = rows + sum(job.incomplete or 0 for job in jobs)
    return Progress("wait", ended, len(attempts), "jobs", f"{rows:,} of {known:,} rows" if known else "")
