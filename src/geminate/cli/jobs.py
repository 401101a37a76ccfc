"""``geminate submit``, ``status``, ``wait`` and ``cancel``: the jobs of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.options import (
    json_option,
    max_running_option,
    on_doubt_option,
    run_argument,
    submit_options,
    take_submit_options,
    take_target,
    where_options,
)
from geminate.cli.report import EXIT_JOB_FAILED, Report, TerminalProgress, counted

if TYPE_CHECKING:
    from geminate.pipeline.runs import JobStatus, Run
    from geminate.pipeline.submit import SubmitOptions
    from geminate.pipeline.target import Target
    from geminate.wire.jobs import Job


@click.command()
@run_argument
@submit_options
@where_options
@json_option
def submit(run_path: Path, *, dry_run: bool, **options: Any) -> Report:
    """Make one job for each shard of RUN; a shard's attempt is paid for once, however often this is called."""
    from geminate.pipeline.runs import Run

    run, target, how = Run.open(run_path), take_target(options), take_submit_options(options)
    if dry_run:
        return drafts_report(run, target, how)
    with TerminalProgress() as notify:
        jobs = run.submit(target, notify, how)
    return _report(run, jobs, 0)


def left_to_submit(run: Run) -> int:
    """How many shards have no job yet, because others have to end first."""
    return sum(status.job is None for status in run.status(refresh=False))


def left_sentences(run: Run) -> list[str]:
    """What a person is told of those."""
    left = left_to_submit(run)
    if not left:
        return []
    return [f"{counted(left, 'shard')} left to submit: run geminate submit {run.folder.path} again as jobs end"]


def drafts_report(run: Run, target: Target | None, options: SubmitOptions) -> Report:
    """What ``submit`` would send: without ``--json`` the bodies go to stdout, one a line."""
    preview = run.preview(target, options.settings)
    document = {
        "run": str(run.folder.path),
        "url": preview.url,
        "uploads": [{"path": str(draft.path), "uri": draft.input_uri} for draft in preview.drafts],
        "bodies": [draft.body for draft in preview.drafts],
    }
    count = counted(len(preview.drafts), "create call")
    sentences = [f"{count} not made" + (f"; each line is the body of a POST to {preview.url}" if preview.url else "")]
    sentences += [f"before it, {draft.path} would be uploaded to {draft.input_uri}" for draft in preview.drafts]
    return Report(document, sentences, lines=[json.dumps(draft.body, ensure_ascii=False) for draft in preview.drafts])


@click.command()
@run_argument
@json_option
def status(run_path: Path, **options: Any) -> Report:
    """Show the jobs of RUN as the service sees them now."""
    from geminate.pipeline.runs import Run

    del options
    statuses = Run.open(run_path).status()
    document = {"run": str(run_path), "attempts": [_attempt_document(status) for status in statuses]}
    sentences = [
        f"shard {s.attempt.shard}, attempt {s.attempt.number}: {s.job.state if s.job else s.attempt.state}"
        + (f", {s.job.successful} done, {s.job.failed} failed" if s.job and s.job.successful is not None else "")
        + (f", {s.job.name}" if s.job else "")
        for s in statuses
    ]
    return Report(document, sentences)


@click.command()
@run_argument
@json_option
def wait(run_path: Path, **options: Any) -> Report:
    """Wait until every job of RUN has ended. Interrupting it leaves the jobs running; wait again at any time."""
    from geminate.pipeline.runs import Run

    del options
    run = Run.open(run_path)
    with TerminalProgress() as notify:
        jobs = run.wait(notify)
    return _report(run, jobs, 0 if all(job.succeeded for job in jobs) else EXIT_JOB_FAILED)


@click.command()
@run_argument
@click.option(
    "--max-attempts",
    type=click.IntRange(min=2),
    default=3,
    show_default=True,
    metavar="N",
    help="Attempts a prompt may have.",
)
@max_running_option
@on_doubt_option
@json_option
def retry(run_path: Path, max_attempts: int, max_running: int | None, on_doubt: str, **options: Any) -> Report:
    """Submit a new attempt of the prompts of RUN that did not succeed and may; then wait and collect again."""
    from geminate.pipeline.runs import Run
    from geminate.pipeline.submit import SubmitOptions

    del options
    with TerminalProgress() as notify:
        how = SubmitOptions(post_again=on_doubt == "post", max_running=max_running)
        run = Run.open(run_path)
        planned = run.retry(max_attempts, notify, how)
    document = {
        "run": str(run_path),
        "prompts": planned.rows,
        "attempts": [attempt.attempt_id for attempt in planned.attempts],
        "exhausted": planned.exhausted,
    }
    sentences = [f"{counted(planned.rows, 'prompt')} in {counted(len(planned.attempts), 'new attempt')}"]
    if planned.exhausted:
        sentences.append(f"{planned.exhausted:,} prompts have had every attempt they may have")
    return Report(document, sentences + left_sentences(run))


@click.command()
@run_argument
@json_option
def cancel(run_path: Path, **options: Any) -> Report:
    """Ask the service to end the jobs of RUN. What they have finished is billed, and collect reads it."""
    from geminate.pipeline.runs import Run

    del options
    asked = Run.open(run_path).cancel()
    return Report({"run": str(run_path), "cancelled": asked}, [f"asked {counted(asked, 'job')} to end"])


def _report(run: Run, jobs: list[Job], exit_code: int) -> Report:
    document = {
        "run": str(run.folder.path),
        "jobs": [job_document(job) for job in jobs],
        "left_to_submit": left_to_submit(run),
    }
    sentences = [f"{job.state} {job.name}" + (f": {job.error}" if job.error else "") for job in jobs]
    return Report(document, sentences + left_sentences(run), exit_code)


def job_document(job: Job) -> dict[str, Any]:
    """What ``--json`` says of a job."""
    return {
        "name": job.name,
        "state": job.state,
        "successful": job.successful,
        "failed": job.failed,
        "incomplete": job.incomplete,
        "output_uri": job.output_uri,
        "error": job.error,
    }


def _attempt_document(status: JobStatus) -> dict[str, Any]:
    attempt = status.attempt
    return {
        "shard": attempt.shard,
        "attempt": attempt.number,
        "state": attempt.state,
        "input_uri": attempt.input_uri,
        "job": None if status.job is None else job_document(status.job),
    }
