"""``geminate status``, ``wait`` and ``cancel``: what becomes of jobs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.job_options import on_done_option
from geminate.cli.jobs import job_document, jobs_report, left_sentences
from geminate.cli.joining import joined_document, joined_sentences
from geminate.cli.options import json_option, overwrite_option, run_argument
from geminate.cli.report import (
    EXIT_JOB_FAILED,
    EXIT_SOME_NOT_OK,
    Report,
    TerminalProgress,
    age_text,
    leaving_jobs,
    with_on_done,
)
from geminate.errors import counted

if TYPE_CHECKING:
    from geminate.pipeline.wait import JobStatus
    from geminate.wire.jobs import Job


@click.command()
@run_argument
@json_option
def status(run_path: Path, **options: Any) -> Report:
    """Show the jobs of RUN. They are as the service sees them now, or as it last did."""
    from geminate.pipeline.runs import Run

    del options
    found = Run.open(run_path).status()
    document = {
        "run": str(run_path),
        "trouble": found.trouble.sentence if found.trouble else None,
        "left_to_submit": found.left_to_submit,
        "attempts": [_attempt_document(status) for status in found.attempts],
    }
    sentences = [_attempt_sentence(status, stale=found.trouble is not None) for status in found.attempts]
    if found.trouble:
        sentences.insert(0, f"not asked anew: {found.trouble.sentence}")
    if any(status.job for status in found.attempts):
        sentences += left_sentences(run_path, found.left_to_submit)
    elif found.left_to_submit:
        sentences.append(f"no job yet; geminate submit {run_path} goes on")
    return Report(document, sentences)


@click.command()
@run_argument
@on_done_option
@json_option
def wait(run_path: Path, on_done: str | None, **options: Any) -> Report:
    """Wait until every job of RUN has ended. Interrupting it leaves the jobs running; wait again at any time."""
    from geminate.pipeline.runs import Run

    del options
    run = Run.open(run_path)
    with leaving_jobs(run_path), TerminalProgress() as notify:
        jobs = run.wait(notify)
    report = jobs_report(run, jobs, EXIT_JOB_FAILED if run.status(refresh=False).failed else 0)
    report.sentences.append(_closing_sentence(jobs))
    return with_on_done(report, run_path, on_done)


@click.command()
@run_argument
@click.option("-o", "--out", metavar="OUT", help="Then collect what was finished: .parquet .jsonl .csv .arrow, or -.")
@overwrite_option
@json_option
def cancel(run_path: Path, out: str | None, *, overwrite: bool, **options: Any) -> Report:
    """End the jobs of RUN. It asks the service, and waits until it has; what they have finished is billed."""
    from geminate.pipeline.collect import CollectOptions
    from geminate.pipeline.pace.progress import Progress
    from geminate.pipeline.runs import Run
    from geminate.pipeline.written.outputs import OutputOptions

    del options
    run, output = Run.open(run_path), OutputOptions(overwrite)
    if out is not None:
        output.check(out)
    with leaving_jobs(run_path), TerminalProgress() as notify:
        cancelled = run.cancel()
        asked = f"asked {counted(cancelled.asked, 'job')} to end" if cancelled.asked else "no job runs any more"
        notify(Progress("cancel", 0, None, "jobs", notice=asked))
        jobs = run.wait(notify)
        joined = run.collect(out, CollectOptions(output=output), notify) if out is not None else None
    report = jobs_report(run, jobs)
    document = {"cancelled": cancelled.asked, "abandoned": cancelled.abandoned, **(report.document or {})}
    sentences = [*report.sentences, _closing_sentence(jobs)]
    if cancelled.abandoned:
        sentences.append(f"{counted(cancelled.abandoned, 'shard')} will get no job")
    if joined is None:
        return Report(document, [*sentences, f"geminate collect {run_path} -o OUT reads what they finished"])
    code = 0 if joined.all_ok else EXIT_SOME_NOT_OK
    return Report({**document, **joined_document(joined)}, sentences + joined_sentences(joined), code)


def _closing_sentence(jobs: list[Job]) -> str:
    done, failed = sum(job.successful or 0 for job in jobs), sum(job.failed or 0 for job in jobs)
    return f"{counted(len(jobs), 'job')} ended: {counted(done, 'row')} done, {failed:,} failed"


def _attempt_sentence(status: JobStatus, *, stale: bool) -> str:
    attempt, job = status.attempt, status.job
    sentence = f"shard {attempt.shard}, attempt {attempt.number}: {job.state if job else attempt.state}"
    if job is None:
        return sentence
    counts = {"done": job.successful, "failed": job.failed, "left": job.incomplete or None}
    sentence += "".join(f", {count:,} {what}" for what, count in counts.items() if count is not None)
    if attempt.resumes:
        sentence += f", going on from the output of {attempt.resumes}"
    if stale and not job.is_terminal:
        sentence += f", {age_text(time.time() - attempt.seen_at)} ago"
    return f"{sentence}, {job.name}"


def _attempt_document(status: JobStatus) -> dict[str, Any]:
    attempt = status.attempt
    seen = datetime.fromtimestamp(attempt.seen_at, UTC).isoformat(timespec="seconds") if attempt.seen_at else None
    return {
        "shard": attempt.shard,
        "attempt": attempt.number,
        "attempt_id": attempt.attempt_id,
        "state": attempt.state,
        "input_uri": attempt.input_uri,
        "resumes": attempt.resumes or None,
        "seen_at": seen,
        "job": None if status.job is None else job_document(status.job),
    }
