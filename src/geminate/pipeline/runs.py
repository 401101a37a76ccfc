"""A run, from prompts to joined rows, as an object with one method a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geminate.adapters.system import SystemClock
from geminate.connect import Outside, create_url, locate_bucket, open_outside, open_store
from geminate.errors import TransientError
from geminate.ledger import SETTLED, UNSENT, Attempt, Ledger
from geminate.pipeline.budget import Budget
from geminate.pipeline.pace.patience import call_patiently
from geminate.pipeline.pace.progress import Notify, silent
from geminate.pipeline.run_folder.folder import Manifest, RunFolder
from geminate.pipeline.submit import Stager, SubmitOptions, Submitter
from geminate.pipeline.submitting.plan import JobPlan, Preview
from geminate.pipeline.submitting.preflight import Preflight
from geminate.pipeline.submitting.target import (
    Target,
    read_settings,
    read_target,
    settle_project,
    settle_settings,
    settle_target,
)
from geminate.pipeline.wait import (
    Cancelled,
    JobStatus,
    PollOptions,
    RunStatus,
    cancel_jobs,
    job_of,
    refresh_jobs,
    wait_for_jobs,
)
from geminate.ports import Clock, ObjectStore
from geminate.wire.changes import Changes
from geminate.wire.jobs import Job, JobSettings

if TYPE_CHECKING:
    from geminate.pipeline.build import BuildOptions
    from geminate.pipeline.collect import CollectOptions
    from geminate.pipeline.retry import Planned
    from geminate.pipeline.written.outputs import Joined
    from geminate.stages.estimates import Estimate
    from geminate.stages.specs import Spec

DEFAULT_MAX_ATTEMPTS = 3
"""How often a prompt is tried in all."""

# An emulator answers at once and forgets nothing, so there is no point in patience.
_EMULATED_GRACE_S = 0.5
_EMULATED_POLL = PollOptions(0.05, 1.0, doubt_grace_s=_EMULATED_GRACE_S)


class Run:
    """One run in its folder. Every method can be called again after whatever interrupted it.

    Make one with ``create`` or ``open``.
    """

    def __init__(self, folder: RunFolder, manifest: Manifest, clock: Clock) -> None:
        self.folder = folder
        self.manifest = manifest
        self._clock = clock

    @classmethod
    def create(
        cls,
        path: str | Path,
        prompts: Any,
        spec: Spec,
        options: BuildOptions | None = None,
        notify: Notify = silent,
    ) -> Run:
        """The new run; its folder holds the validated shards.

        Raises:
            PromptError: The prompts cannot be read, or their rows cannot be told apart.
            SpecError: The spec does not fit them.
            TargetError: The folder exists.
        """
        from geminate.pipeline.build import build_run
        from geminate.pipeline.building.opening import as_prompts

        manifest = build_run(as_prompts(prompts), spec, Path(path), options, notify)
        return cls(RunFolder(Path(path)), manifest, SystemClock())

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """The run that lies in a folder.

        Raises:
            InputError: None does.
        """
        folder = RunFolder(Path(path))
        return cls(folder, folder.read_manifest(), SystemClock())

    def estimate(self, history: Any = None, notify: Notify = silent) -> Estimate:
        """What the run's requests will use and cost; ``history`` is that of ``geminate.estimate``."""
        from geminate.pipeline.estimate import estimate_run

        return estimate_run(self.folder, self.manifest, history, notify)

    def submit(
        self, target: Target | None = None, notify: Notify = silent, options: SubmitOptions | None = None
    ) -> list[Job]:
        """The run's jobs: one for each attempt, made once.

        With ``options.max_running`` there may be fewer; the same call later makes more, as jobs end.

        Raises:
            AccessError: The service or the store refuses access.
            InputError: The service refuses a job.
            TargetError: The run goes elsewhere already.
            TransientError: There was no clear answer; the same call goes on.
        """
        options = options or SubmitOptions()
        with self._open(target, options.budget, notify) as (ledger, settled, outside):
            if options.max_running is not None:
                grace_s = _poll(settled).doubt_grace_s
                call_patiently(partial(refresh_jobs, ledger, outside.jobs, self._clock, grace_s), self._clock)
            submitter = self._submitter(ledger, settled, outside, options)
            self._preflight(submitter, settled, notify)
            return [job_of(attempt) for attempt in submitter.submit(notify) if attempt.job_name]

    def finish(
        self, target: Target | None = None, notify: Notify = silent, options: SubmitOptions | None = None
    ) -> list[Job]:
        """The run's jobs, all ended; they are made as there is room for them. Interrupting it leaves them running.

        Raises:
            AccessError: The service or the store refuses access.
            InputError: The service refuses a job.
            TargetError: The run goes elsewhere already.
            TransientError: There was no clear answer, or none for long; the same call goes on.
        """
        options = options or SubmitOptions()
        with self._open(target, options.budget, notify) as (ledger, settled, outside):
            submitter = self._submitter(ledger, settled, outside, options)
            self._preflight(submitter, settled, notify)
            while True:
                waiting = sum(attempt.state not in SETTLED for attempt in submitter.submit(notify))
                unfinished = (options.max_running or 1) - 1 if waiting else 0
                jobs = wait_for_jobs(ledger, outside.jobs, self._clock, _poll(settled, unfinished), notify)
                if not waiting:
                    return jobs

    def preview(self, target: Target | None = None, settings: JobSettings | None = None) -> Preview:
        """The create calls that ``submit`` would make, and where to; nothing is uploaded, sent or written.

        Raises:
            TargetError: The run goes elsewhere already.
            UsageError: Nothing says where its lines should lie.
        """
        with Ledger(self.folder.path, lock=False) as ledger:
            wanted, settings = read_target(ledger, target), read_settings(ledger, settings)
            plan = JobPlan(self.folder, self.manifest, wanted.staging_uri or "", settings, wanted.predictions_uri)
            return Preview(create_url(wanted.where), plan.drafts(ledger.attempts()))

    def settle(self, target: Target | None) -> None:
        """Nothing; the run is settled on this target, or was before.

        Raises:
            TargetError: It was settled on another.
        """
        if target is not None:
            with Ledger(self.folder.path) as ledger:
                settle_target(ledger, target)

    def stage(self, target: Target, notify: Notify = silent) -> None:
        """Nothing; the shards lie where the service will read them, and the run is settled on this target."""
        with Ledger(self.folder.path) as ledger:
            settled = settle_target(ledger, target)
            if settled.for_table:
                with open_outside(settled.where, self.folder.emulator_path) as outside:
                    stager = self._stager(ledger, outside.store, settled)
                    replace(stager, tables=outside.tables).stage_all(notify)
                return
            self._stager(ledger, open_store(settled.where, self.folder.emulator_path), settled).stage_all(notify)

    def wait(self, notify: Notify = silent) -> list[Job]:
        """The run's jobs, all ended. Interrupting it leaves them running.

        Raises:
            TransientError: The service did not answer for long; the same call goes on.
        """
        with self._open(None) as (ledger, settled, outside):
            return wait_for_jobs(ledger, outside.jobs, self._clock, _poll(settled), notify)

    def cancel(self) -> Cancelled:
        """How many jobs were asked to end, and how many attempts will get none; what is finished is still collected.

        Raises:
            TransientError: The service did not answer; the same call goes on.
        """
        with self._open(None) as (ledger, settled, outside):
            abandoned = self._submitter(ledger, settled, outside, SubmitOptions()).abandon()
            return Cancelled(cancel_jobs(ledger, outside.jobs, self._clock), abandoned)

    def retry(
        self,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        notify: Notify = silent,
        options: SubmitOptions | None = None,
        changes: Changes | None = None,
    ) -> Planned:
        """What was planned and submitted: a new attempt of the prompts that did not succeed and may.

        A retry that was interrupted goes on, and plans nothing new. The next ``collect`` reads all attempts.

        Raises:
            InputError: A changed request breaks a rule.
            UsageError: Jobs are still running, or were never made; or an interrupted retry would have to change.
        """
        from geminate.pipeline.collect import CollectOptions, Collector
        from geminate.pipeline.retry import plan_retry

        with self._open(None) as (ledger, _, outside):
            collector = Collector(self.folder, self.manifest, ledger, outside.store, CollectOptions(), outside.tables)
            planned = plan_retry(collector, max_attempts, changes or Changes())
        self.submit(None, notify, options)
        return planned

    def status(self, *, refresh: bool = True) -> RunStatus:
        """Every attempt with its job, asked for anew unless ``refresh`` is off; as last seen if nobody answers."""
        trouble = None
        if refresh and any(attempt.state == "committed" for attempt in self._read_attempts()):
            try:
                with self._open(None) as (ledger, settled, outside):
                    refresh_jobs(ledger, outside.jobs, self._clock, _poll(settled).doubt_grace_s)
            except TransientError as error:
                trouble = error
        attempts = self._read_attempts()
        jobs = [JobStatus(attempt, job_of(attempt) if attempt.job_name else None) for attempt in attempts]
        return RunStatus(jobs, trouble)

    def _read_attempts(self) -> list[Attempt]:
        with Ledger(self.folder.path, lock=False) as ledger:
            return ledger.attempts()

    def collect(self, out: str | Path, options: CollectOptions | None = None, notify: Notify = silent) -> Joined:
        """The output's counts: the predictions of every attempt, joined to all prompts.

        Raises:
            TargetError: ``out`` exists.
            UsageError: Jobs are still running, or were never made.
        """
        from geminate.pipeline.collect import CollectOptions, Collector

        options = options or CollectOptions()
        with self._open(None) as (ledger, _, outside):
            return Collector(self.folder, self.manifest, ledger, outside.store, options, outside.tables).collect(
                out, notify
            )

    def _submitter(self, ledger: Ledger, settled: Target, outside: Outside, options: SubmitOptions) -> Submitter:
        if settled.where.is_local and options.doubt_grace_s is None:
            options = replace(options, doubt_grace_s=_EMULATED_GRACE_S)
        settle_project(ledger, outside.project)
        stager = self._stager(ledger, outside.store, settled, settle_settings(ledger, options.settings))
        return Submitter(replace(stager, tables=outside.tables), ledger, outside.jobs, self._clock, options)

    def _stager(
        self, ledger: Ledger, store: ObjectStore, target: Target, settings: JobSettings | None = None
    ) -> Stager:
        staging_uri, settings = target.staging_uri or "", settings or JobSettings()
        return Stager(
            self.folder, self.manifest, ledger, store, staging_uri, self._clock, settings, target.predictions_uri
        )

    @contextmanager
    def _open(
        self, target: Target | None, budget: Budget | None = None, notify: Notify = silent
    ) -> Iterator[tuple[Ledger, Target, Outside]]:
        with Ledger(self.folder.path) as ledger:
            if budget is not None:
                # Before anything is settled or asked of anybody.
                read_target(ledger, target)
                budget.check(self.folder, self.manifest, ledger.attempts(), notify)
            settled = settle_target(ledger, target)
            with open_outside(settled.where, self.folder.emulator_path) as outside:
                yield ledger, settled, outside

    def _preflight(self, submitter: Submitter, settled: Target, notify: Notify) -> None:
        if submitter.options.preflight and any(each.state in UNSENT for each in submitter.ledger.attempts()):
            where, stager = settled.where, submitter.stager
            locate = partial(locate_bucket, where)
            Preflight(stager.plan, where.location, stager.store, submitter.jobs, locate, stager.tables).check(
                self._clock, notify
            )


def _poll(target: Target, unfinished: int = 0) -> PollOptions:
    return replace(_EMULATED_POLL if target.where.is_local else PollOptions(), unfinished=unfinished)
