"""A run, from prompts to joined rows, as an object with one method a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geminate.adapters.system import SystemClock
from geminate.connect import create_url, open_outside, open_store
from geminate.errors import TransientError
from geminate.ledger import SETTLED, Attempt, Ledger
from geminate.pipeline.budget import Budget
from geminate.pipeline.building.opening import DEFAULT_STORES
from geminate.pipeline.open_run import OpenRun
from geminate.pipeline.pace.patience import call_patiently
from geminate.pipeline.pace.progress import Notify, silent
from geminate.pipeline.run_folder.folder import Manifest, RunFolder
from geminate.pipeline.submit import SubmitOptions
from geminate.pipeline.submitting.plan import JobPlan, Preview
from geminate.pipeline.submitting.staging import Stager
from geminate.pipeline.submitting.target import (
    Target,
    read_settings,
    read_target,
    settle_target,
)
from geminate.pipeline.wait import (
    Cancelled,
    JobStatus,
    RunStatus,
    cancel_jobs,
    job_of,
    refresh_jobs,
    wait_for_jobs,
)
from geminate.ports import Clock, ObjectStore, TableStore
from geminate.wire.jobs import Job, JobSettings

if TYPE_CHECKING:
    from geminate.pipeline.build import BuildOptions
    from geminate.pipeline.collect import CollectOptions
    from geminate.pipeline.retrying.planned import Planned, RetryOptions
    from geminate.pipeline.written.outputs import Joined
    from geminate.stages.estimates import Estimate
    from geminate.stages.specs import Spec


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
        with self._open(target, options.budget, notify) as run:
            if options.max_running is not None:
                refresh = partial(refresh_jobs, run.ledger, run.outside.jobs, self._clock)
                call_patiently(refresh, self._clock)
            submitter = run.submitter(options)
            run.check(submitter, notify)
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
        with self._open(target, options.budget, notify) as run:
            submitter = run.submitter(options)
            run.check(submitter, notify)
            while True:
                waiting = sum(attempt.state not in SETTLED for attempt in submitter.submit(notify))
                unfinished = (options.max_running or 1) - 1 if waiting else 0
                poll = replace(run.poll, unfinished=unfinished)
                jobs = wait_for_jobs(run.ledger, run.outside.jobs, self._clock, poll, notify)
                if not waiting:
                    return jobs

    def preview(self, target: Target | None = None, settings: JobSettings | None = None) -> Preview:
        """The create calls that ``submit`` would make, and where to; nothing is uploaded, sent or written.

        Raises:
            TargetError: The run goes elsewhere already.
            UsageError: Nothing says where its lines should lie.
        """
        with Ledger(self.folder.path, lock=False) as ledger:
            return self._preview(ledger, read_target(ledger, target), settings, ledger.attempts())

    def _preview(
        self, ledger: Ledger, target: Target, settings: JobSettings | None, attempts: list[Attempt]
    ) -> Preview:
        settings = read_settings(ledger, settings)
        plan = JobPlan(self.folder, self.manifest, target.staging_uri or "", settings, target.predictions_uri)
        return Preview(create_url(target.where), plan.drafts(attempts))

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
            stage = partial(self._stage, ledger, settled, notify)
            if settled.for_table:
                with open_outside(settled.where, self.folder.emulator_path) as outside:
                    stage(outside.store, outside.tables)
            else:
                stage(open_store(settled.where, self.folder.emulator_path), DEFAULT_STORES.tables)

    def _stage(
        self, ledger: Ledger, to: Target, notify: Notify, store: ObjectStore, tables: Callable[[], TableStore]
    ) -> None:
        places = (to.staging_uri or "", self._clock, JobSettings(), to.predictions_uri)
        Stager(self.folder, self.manifest, ledger, store, *places, tables).stage_all(notify)

    def wait(self, notify: Notify = silent) -> list[Job]:
        """The run's jobs, all ended. Interrupting it leaves them running.

        Raises:
            TransientError: The service did not answer for long; the same call goes on.
            UsageError: No job was ever made.
        """
        with self._open() as run:
            return wait_for_jobs(run.ledger, run.outside.jobs, self._clock, run.poll, notify)

    def cancel(self) -> Cancelled:
        """How many jobs were asked to end, and how many attempts will get none; what is finished is still collected.

        Raises:
            TransientError: The service did not answer; the same call goes on.
        """
        with self._open() as run:
            abandoned = run.submitter(SubmitOptions()).abandon()
            return Cancelled(cancel_jobs(run.ledger, run.outside.jobs, self._clock), abandoned)

    def retry(
        self, wanted: RetryOptions | None = None, notify: Notify = silent, options: SubmitOptions | None = None
    ) -> Planned:
        """What was planned and submitted: a new attempt of the prompts that did not succeed and may.

        A retry that was interrupted goes on, and plans nothing new; one that exceeds its budget leaves nothing. The
        next ``collect`` reads all attempts.

        Raises:
            InputError: A changed request breaks a rule, or the budget is exceeded.
            UsageError: Jobs are still running, or were never made; an interrupted retry would have to change; or the
                service can go on with none of the shards.
        """
        from geminate.pipeline.retry import plan_retry
        from geminate.pipeline.retrying.planned import RetryOptions

        options = options or SubmitOptions()
        with self._open() as run:
            planned = plan_retry(run.collector(), wanted or RetryOptions())
            try:
                if options.budget is not None:
                    attempts = [*run.ledger.attempts(), *(planned.attempts if planned.is_new else [])]
                    options.budget.check(self.folder, self.manifest, attempts, notify)
            except BaseException:
                planned.drop(self.folder)
                raise
            planned.keep(run.ledger)
        self.submit(None, notify, replace(options, budget=None))
        return planned

    def preview_retry(
        self, wanted: RetryOptions | None = None, settings: JobSettings | None = None
    ) -> tuple[Planned, Preview]:
        """What ``retry`` would plan, and the create calls it would make; predictions are read, and nothing stays.

        Raises:
            As ``retry``.
        """
        from geminate.pipeline.retry import plan_retry
        from geminate.pipeline.retrying.planned import RetryOptions

        with self._open() as run:
            planned = plan_retry(run.collector(), wanted or RetryOptions())
            planned.drop(self.folder)
            return planned, self._preview(run.ledger, run.target, settings, planned.attempts)

    def status(self, *, refresh: bool = True) -> RunStatus:
        """Every attempt with its job, asked for anew unless ``refresh`` is off; as last seen if nobody answers."""
        trouble = None
        if refresh and any(attempt.state == "committed" for attempt in self._read_attempts()):
            try:
                with self._open() as run:
                    refresh_jobs(run.ledger, run.outside.jobs, self._clock)
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
        with self._open() as run:
            joined: Joined = run.collector(options).collect(out, notify)
            return joined

    @contextmanager
    def _open(
        self, target: Target | None = None, budget: Budget | None = None, notify: Notify = silent
    ) -> Iterator[OpenRun]:
        with Ledger(self.folder.path) as ledger:
            if budget is not None:
                # Before anything is settled or asked of anybody.
                read_target(ledger, target)
                budget.check(self.folder, self.manifest, ledger.attempts(), notify)
            settled = settle_target(ledger, target)
            with open_outside(settled.where, self.folder.emulator_path) as outside:
                yield OpenRun(self.folder, self.manifest, self._clock, ledger, settled, outside)
