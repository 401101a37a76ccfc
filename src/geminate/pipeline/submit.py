"""Submit: every shard becomes one job, and an attempt is paid for once.

An attempt's intent is durable before its create call, and the job carries the attempt's id as a label. The call is
made once. Where its end is unknown, the job is looked up by that label before any second call.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from geminate.errors import AccessError, InputError, TransientError
from geminate.ledger import SETTLED, UNSENT, Attempt, Ledger
from geminate.pipeline.budget import Budget
from geminate.pipeline.pace.patience import DOUBT_GRACE_S, call_patiently
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.pipeline.submitting.staging import Stager
from geminate.ports import Clock, JobService
from geminate.wire.jobs import ATTEMPT_LABEL, RUN_LABEL, JobSettings, decode_job, encode_job, label_filter

_LOOK_UP_INTERVAL_S = 2.0
_MAX_POSTS = 3


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """How jobs are made.

    Attributes:
        doubt_grace_s: How long a job whose create call had no clear end is looked for before the call is made again;
            None for what suits the service.
        post_again: Whether it is made again at all; without, the command ends and says so.
        settings: What jobs that are still to be made are called and labelled; None for what was said before.
        max_running: How many jobs of the run may be unfinished at a time; None for all.
        preflight: Whether bucket, service and limits are looked at before the first call.
        budget: What the run may cost, and how many jobs it may make; None for no limit.
    """

    doubt_grace_s: float | None = None
    post_again: bool = True
    settings: JobSettings | None = None
    max_running: int | None = None
    preflight: bool = True
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Submitter:
    """What submitting needs, gathered once for a run."""

    stager: Stager
    ledger: Ledger
    jobs: JobService
    clock: Clock
    options: SubmitOptions

    def submit(self, notify: Notify = silent) -> list[Attempt]:
        """Every attempt of the run; each has a job afterwards, or there is no room for more unfinished jobs.

        Raises:
            AccessError: The service or the store refuses access.
            InputError: The service refuses a job, and says why.
            TransientError: The service did not answer; the same command goes on.
        """
        self._adopt()
        attempts = self.ledger.attempts()
        # The uploads run ahead of the create calls; a failed one stops the calls in its place.
        with closing(self.stager.iter_staged(attempts, self._room_for_new(attempts))) as staged:
            for done, attempt in enumerate(staged):
                notify(Progress("submit", done, len(attempts), "jobs"))
                self._submit_one(attempt)
        submitted = self.ledger.attempts()
        notify(Progress("submit", sum(attempt.state in SETTLED for attempt in submitted), len(attempts), "jobs"))
        return submitted

    def _adopt(self) -> None:
        """Nothing; attempts for which a job was made without us, by a copy of the run's folder or by hand, have it."""
        unsent = [attempt for attempt in self.ledger.attempts() if attempt.state in UNSENT]
        if unsent:
            listed = call_patiently(self._list_jobs, self.clock)
            made = {(job.get("labels") or {}).get(ATTEMPT_LABEL): job for job in listed}
            for attempt in self.stager.iter_staged([one for one in unsent if one.attempt_id in made]):
                self._commit(attempt, made[attempt.attempt_id])

    def _list_jobs(self) -> list[dict[str, Any]]:
        return list(self.jobs.list(label_filter(RUN_LABEL, self.stager.manifest.run_id)))

    def abandon(self) -> int:
        """How many attempts will get no job, now or later; a job whose create call is in doubt is looked for first.

        Raises:
            TransientError: The service did not answer.
        """
        self._adopt()
        abandoned = 0
        for attempt in self.ledger.attempts():
            if attempt.state in {"intended", "doubtful"}:
                self._settle_doubt(attempt)
        for attempt in self.ledger.attempts():
            if attempt.state not in SETTLED:
                self.ledger.advance(attempt, "abandoned", at=self.clock.now(), note="the run was cancelled")
                abandoned += 1
        return abandoned

    def _submit_one(self, attempt: Attempt) -> None:
        for _ in range(_MAX_POSTS):
            if attempt.state in {"intended", "doubtful"}:
                attempt = self._settle_doubt(attempt)
            # One that is still planned was kept back when the others were staged.
            if attempt.state in {*SETTLED, "planned"} or self._room() == 0:
                return
            attempt = self._post(attempt)
        if attempt.state != "committed":
            raise TransientError(
                "the service gave no clear answer to several create calls, and shows no job",
                where=attempt.attempt_id,
                remedy="run the same command again later; it looks for the job first",
            )

    def _room_for_new(self, attempts: list[Attempt]) -> int | None:
        """The room that those leave which were begun before and have no job yet."""
        room = self._room()
        begun = sum(attempt.state not in {*SETTLED, "planned"} for attempt in attempts)
        return None if room is None else max(0, room - begun)

    def _room(self) -> int | None:
        """How many more jobs may be unfinished; None for any number."""
        most = self.options.max_running
        if most is None:
            return None
        return max(0, most - sum(attempt.state == "committed" for attempt in self.ledger.attempts()))

    def _post(self, attempt: Attempt) -> Attempt:
        now, body = self.clock.now(), encode_job(self.stager.plan.request(attempt))
        attempt = self.ledger.advance(attempt, "intended", at=now, intended_at=now, body=json.dumps(body))
        try:
            job = self.jobs.create(body)
        except (InputError, AccessError) as error:
            self.ledger.advance(attempt, "refused", at=self.clock.now(), note=error.what)
            raise
        except TransientError as error:
            attempt = self._doubt(attempt, error.what)
            if error.retry_after_s:
                self.clock.sleep(error.retry_after_s)
            return attempt
        if not decode_job(job).name:
            return self._doubt(attempt, "the answer names no job")
        return self._commit(attempt, job)

    def _doubt(self, attempt: Attempt, note: str) -> Attempt:
        # The grace begins now: a call that was given up late may have made its job a moment ago.
        now = self.clock.now()
        return self.ledger.advance(attempt, "doubtful", at=now, note=note, intended_at=now)

    def _commit(self, attempt: Attempt, job: dict[str, Any]) -> Attempt:
        now, name = self.clock.now(), decode_job(job).name
        return self.ledger.advance(attempt, "committed", at=now, job_name=name, job=json.dumps(job), seen_at=now)

    def _settle_doubt(self, attempt: Attempt) -> Attempt:
        """The attempt with its job if the service has one by its label; else ready to be posted again."""
        if attempt.state == "intended":
            attempt = self._doubt(attempt, "found begun, without an end")
        while True:
            # Without an answer here no call is made again: this raises.
            job = call_patiently(partial(self._find_job, attempt), self.clock)
            if job is not None:
                return self._commit(attempt, job)
            patience_s = attempt.intended_at + self._grace_s() - self.clock.now()
            if patience_s <= 0:
                break
            self.clock.sleep(min(patience_s, _LOOK_UP_INTERVAL_S))
        if not self.options.post_again:
            raise TransientError(
                "a create call had no clear end, and the service shows no job for it",
                where=attempt.attempt_id,
                remedy="look at the project's jobs, then run the command again with --on-doubt post",
            )
        return attempt

    def _grace_s(self) -> float:
        return DOUBT_GRACE_S if self.options.doubt_grace_s is None else self.options.doubt_grace_s

    def _find_job(self, attempt: Attempt) -> dict[str, Any] | None:
        return next(iter(self.jobs.list(label_filter(ATTEMPT_LABEL, attempt.attempt_id))), None)
