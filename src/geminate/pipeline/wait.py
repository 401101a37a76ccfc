"""Wait, status and cancel: what becomes of a run's jobs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from geminate.errors import InputError, TransientError, UsageError, counted
from geminate.ledger import SETTLED, Attempt, Ledger
from geminate.pipeline.pace.patience import DOUBT_GRACE_S, call_patiently, pause
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.ports import Clock, JobService
from geminate.wire.jobs import ATTEMPT_LABEL, CANCELLING_STATE, Job, decode_job, deleted_job, label_filter

_MAX_SILENT_ROUNDS = 20
_TELL_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class PollOptions:
    """How often jobs are asked about: full jitter between nothing and a ceiling that doubles.

    Attributes:
        first_interval_s: The first ceiling.
        max_interval_s: The last one.
        unfinished: How many jobs may still be unfinished when waiting ends.
        doubt_grace_s: For how long the service may not find a job before that is taken for deleted.
    """

    first_interval_s: float = 5.0
    max_interval_s: float = 300.0
    unfinished: int = 0
    doubt_grace_s: float = DOUBT_GRACE_S


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
    def failed(self) -> list[Job]:
        """The jobs that ended without success, but for those whose shard has had another since."""
        last = {status.attempt.shard: status.job for status in self.attempts if status.job is not None}
        return [job for job in last.values() if job.is_terminal and not job.succeeded]

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
    asks, of every job that is left, to be left alone for a while is. After a minute a notice says once what is waited
    for. Jobs that the service says nothing of hold up no others.

    Raises:
        TransientError: The service said nothing, over many rounds, of any job that is left.
        UsageError: No job was ever made.
    """
    _check_begun(ledger.attempts())
    tell_at = clock.now() + _TELL_AFTER_S
    ceiling_s = options.first_interval_s
    silent_rounds: Counter[str] = Counter()
    doubt = Doubt(options.doubt_grace_s)
    while True:
        look = look_at_jobs(ledger, jobs, clock, doubt)
        silent_rounds = Counter({attempt_id: silent_rounds[attempt_id] + 1 for attempt_id in look.silences})
        progress, unfinished = _progress(look.attempts), look.unfinished
        if len(unfinished) <= options.unfinished:
            notify(progress)
            return [job_of(attempt) for attempt in look.attempts if attempt.job_name]
        if look.trouble and min(silent_rounds[attempt_id] for attempt_id in unfinished) >= _MAX_SILENT_ROUNDS:
            raise look.trouble
        if clock.now() >= tell_at:
            tell_at = float("inf")
            left = f"{len(unfinished):,} of {counted(len(look.attempts), 'job')}"
            progress = replace(progress, notice=f"waiting for {left}; geminate status shows them at any time")
        notify(progress)
        # One job's wish to be left alone is not the others'.
        pause(clock, ceiling_s, look.trouble if len(look.silences) == len(unfinished) else None)
        ceiling_s = min(ceiling_s * 2, options.max_interval_s)


def _check_begun(attempts: list[Attempt]) -> None:
    left = sum(attempt.state not in SETTLED for attempt in attempts)
    if left and left == len(attempts):
        raise UsageError(f"no job yet for {counted(left, 'shard')}", remedy="run geminate submit first")


@dataclass(frozen=True, slots=True)
class Look:
    """What the service said of a run's jobs.

    Attributes:
        attempts: The attempts, those with an unfinished job as the service shows them now, if it does.
        silences: Why it does not, by the attempt's id.
    """

    attempts: list[Attempt]
    silences: Mapping[str, TransientError]

    @property
    def unfinished(self) -> list[str]:
        """The ids of attempts whose job has not ended."""
        return [attempt.attempt_id for attempt in self.attempts if attempt.state == "committed"]

    @property
    def trouble(self) -> TransientError | None:
        """All silences in one error; None where there are none."""
        if len(self.silences) <= 1:
            return next(iter(self.silences.values()), None)
        first = next(iter(self.silences.values()))
        asked = [error.retry_after_s for error in self.silences.values() if error.retry_after_s is not None]
        return TransientError(
            f"{len(self.silences):,} jobs gave no answer, the first one: {first.what}",
            where=first.where,
            remedy=first.remedy,
            retry_after_s=max(asked, default=None),
        )


@dataclass(frozen=True, slots=True)
class Doubt:
    """Jobs that were looked for in vain, over several looks.

    Attributes:
        grace_s: For how long a job may not be found before it is taken for deleted.
        missed_at: When it was first not found, by the attempt's id; gone once the job is seen again.
    """

    grace_s: float = DOUBT_GRACE_S
    missed_at: dict[str, float] = field(default_factory=dict)

    def is_settled(self, attempt: Attempt, now: float) -> bool:
        """Whether the job, not found now either, was deleted: never at the first look that does not find it."""
        first = self.missed_at.get(attempt.attempt_id)
        if first is None:
            self.missed_at[attempt.attempt_id] = now
        return first is not None and now - first >= self.grace_s


def look_at_jobs(ledger: Ledger, jobs: JobService, clock: Clock, doubt: Doubt | None = None) -> Look:
    """The run's jobs as the service shows them now. One that gives no answer keeps nobody from asking for the others.

    A job that the service finds neither by its name nor by its label, at two looks with the grace period and no sight
    of it between them, was deleted, and has ended; until then it is one that gives no answer. A single look, which has
    no ``doubt`` from former ones, ends no job so.
    """
    silences = {}
    doubt = doubt or Doubt()
    for attempt in ledger.attempts():
        if attempt.state == "committed":
            try:
                answer = _ask(jobs, attempt, clock, doubt)
            except TransientError as error:
                silences[attempt.attempt_id] = error
                continue
            ledger.record_job(attempt, answer, at=clock.now())
            job = decode_job(answer)
            if job.is_terminal:
                ledger.advance(attempt, "ended", at=clock.now(), note=job.state)
    return Look(ledger.attempts(), silences)


def _ask(jobs: JobService, attempt: Attempt, clock: Clock, doubt: Doubt) -> dict[str, Any]:
    answer = jobs.get(attempt.job_name)
    if answer is None:
        listed = jobs.list(label_filter(ATTEMPT_LABEL, attempt.attempt_id))
        answer = next((job for job in listed if job["name"] == attempt.job_name), None)
    if answer is not None:
        doubt.missed_at.pop(attempt.attempt_id, None)
        return answer
    if doubt.is_settled(attempt, clock.now()):
        return deleted_job(json.loads(attempt.job))
    raise TransientError(
        "the service does not find the job, which it made before",
        where=attempt.job_name,
        remedy="geminate wait takes it for deleted, if it stays so",
    )


def refresh_jobs(ledger: Ledger, jobs: JobService, clock: Clock) -> list[Attempt]:
    """The attempts, those with an unfinished job as the service shows them now.

    Raises:
        TransientError: It said nothing of some; the others are as they are now.
    """
    look = look_at_jobs(ledger, jobs, clock)
    if look.trouble:
        raise look.trouble
    return look.attempts


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
        answer = jobs.get(job_name)
        if answer is None:
            return False  # Only a job that has ended can be deleted.
        job = decode_job(answer)
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
