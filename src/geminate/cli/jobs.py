"""``geminate submit`` and ``retry``: jobs are made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.job_options import (
    change_options,
    job_options,
    submit_options,
    take_changes,
    take_submit_options,
)
from geminate.cli.options import json_option, run_argument, take_target, where_options
from geminate.cli.report import Report, TerminalProgress, leaving_jobs
from geminate.errors import counted

if TYPE_CHECKING:
    from geminate.pipeline.retrying.planned import Planned, RetryOptions
    from geminate.pipeline.runs import Run
    from geminate.pipeline.submit import SubmitOptions
    from geminate.pipeline.submitting.plan import Preview
    from geminate.pipeline.submitting.target import Target
    from geminate.wire.jobs import Job


@click.command()
@run_argument
@submit_options
@where_options
@json_option
def submit(run_path: Path, *, dry_run: bool, **options: Any) -> Report:
    """Make one job for each shard of RUN. A shard's attempt is paid for once, however often this is called."""
    from geminate.pipeline.runs import Run

    run, target, how = Run.open(run_path), take_target(options), take_submit_options(options)
    if dry_run:
        return drafts_report(run, target, how)
    with leaving_jobs(run_path), TerminalProgress() as notify:
        jobs = run.submit(target, notify, how)
    return jobs_report(run, jobs)


def left_sentences(run_path: Path, left: int) -> list[str]:
    """What a person is told of shards that have no job yet, because others have to end first."""
    if not left:
        return []
    return [f"{counted(left, 'shard')} left to submit: run geminate submit {run_path} again as jobs end"]


def drafts_report(run: Run, target: Target | None, options: SubmitOptions) -> Report:
    """What ``submit`` would send: without ``--json`` the bodies go to stdout, one a line."""
    return preview_report(run, run.preview(target, options.settings))


def preview_report(run: Run, preview: Preview) -> Report:
    """What a command says of create calls that it did not make."""
    uploads = [draft for draft in preview.drafts if draft.is_uploaded]
    document = {
        "run": str(run.folder.path),
        "url": preview.url,
        "uploads": [{"path": draft.path and str(draft.path), "uri": draft.input_uri} for draft in uploads],
        "bodies": [draft.body for draft in preview.drafts],
    }
    count = counted(len(preview.drafts), "create call")
    sentences = [f"{count} not made" + (f"; each line is the body of a POST to {preview.url}" if preview.url else "")]
    sentences += [f"before it, {draft.path or 'a shard'} would be uploaded to {draft.input_uri}" for draft in uploads]
    return Report(document, sentences, lines=[json.dumps(draft.body, ensure_ascii=False) for draft in preview.drafts])


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
@change_options
@click.option(
    "--by-service",
    is_flag=True,
    help="Let the service go on from the output of jobs that failed, were cancelled or expired.",
)
@job_options
@json_option
def retry(run_path: Path, max_attempts: int, *, by_service: bool, dry_run: bool, **options: Any) -> Report:
    """Submit again the prompts of RUN that may succeed yet. Then wait and collect again."""
    from geminate.pipeline.retrying.planned import RetryOptions
    from geminate.pipeline.runs import Run

    wanted, how = RetryOptions(max_attempts, take_changes(options), by_service), take_submit_options(options)
    run = Run.open(run_path)
    with leaving_jobs(run_path), TerminalProgress() as notify:
        if dry_run:
            planned, preview = run.preview_retry(wanted, how.settings)
            return _planned_report(planned, wanted, preview_report(run, preview))
        planned = run.retry(wanted, notify, how)
    sentences = left_sentences(run_path, run.status(refresh=False).left_to_submit)
    if planned.rows:
        sentences.append(f"then geminate wait {run_path}, and geminate collect into another output")
    return _planned_report(planned, wanted, Report({"run": str(run_path)}, sentences))


def _planned_report(planned: Planned, wanted: RetryOptions, rest: Report) -> Report:
    document = {
        "prompts": planned.rows,
        "attempts": [attempt.attempt_id for attempt in planned.attempts],
        "changed": dict(planned.changed),
        "exhausted": planned.exhausted,
        "left": dict(planned.left),
        "unlisted": planned.unlisted,
        "refused": planned.refused,
    }
    sentences = [*_planned_sentences(planned), *_left_sentences(planned, wanted), *rest.sentences]
    return replace(rest, document={**(rest.document or {}), **document}, sentences=sentences)


def _planned_sentences(planned: Planned) -> list[str]:
    if not planned.attempts:
        sentences = ["no prompt is sent again"]
    else:
        sentences = [f"{counted(planned.rows, 'prompt')} in {counted(len(planned.attempts), 'new attempt')}"]
    if planned.unlisted:
        sentences.append(
            f"no line in the former output for {counted(planned.unlisted, 'prompt')} of them, "
            "missing still if the service does not know them"
        )
    if planned.changed:
        sentences.append(f"{counted(planned.changed.total(), 'prompt')} of them with a change")
    if planned.exhausted:
        had = "it may have" if planned.exhausted == 1 else "they may have"
        sentences.append(f"{counted(planned.exhausted, 'prompt')} had every attempt {had} (--max-attempts)")
    return sentences


def _left_sentences(planned: Planned, wanted: RetryOptions) -> list[str]:
    from geminate.wire.outcomes import REMEDIES, Outcome

    sentences = [f"shard {shard} left alone: {why}" for shard, why in planned.refused.items()]
    for outcome, count in sorted(planned.left.items()):
        remedy = REMEDIES[Outcome(outcome)]
        why = "the service keeps every answer" if wanted.by_service and remedy.as_is else remedy.why
        untried = [name for name in remedy.changes if name not in wanted.changes.named()]
        options = " or ".join(f"--{name.replace('_', '-')}" for name in untried)
        sentences.append(f"{count:,} {outcome} left alone: {why}" + (f"; {options} may help" if options else ""))
    if planned.refused:
        sentences.append("retry without --by-service sends what the service cannot go on with")
    return sentences


def jobs_report(run: Run, jobs: list[Job], exit_code: int = 0) -> Report:
    """What a command says of a run's jobs."""
    left = run.status(refresh=False).left_to_submit
    document = {
        "run": str(run.folder.path),
        "jobs": [job_document(job) for job in jobs],
        "left_to_submit": left,
    }
    sentences = [f"{job.state} {job.name}" + (f": {job.error}" if job.error else "") for job in jobs]
    return Report(document, sentences + left_sentences(run.folder.path, left), exit_code)


def job_document(job: Job) -> dict[str, Any]:
    """What ``--json`` says of a job."""
    return {
        "name": job.name,
        "state": job.state,
        "successful": job.successful,
        "failed": job.failed,
        "incomplete": job.incomplete,
        "create_time": job.create_time,
        "end_time": job.end_time,
        "output_uri": job.output_uri,
        "error": job.error,
    }
