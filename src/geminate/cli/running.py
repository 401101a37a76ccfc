"""``geminate run``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.building import built_sentences
from geminate.cli.job_options import on_done_option, submit_options, take_submit_options
from geminate.cli.jobs import drafts_report, job_document, jobs_report
from geminate.cli.joining import joined_document, joined_sentences, take_output
from geminate.cli.options import (
    build_options,
    json_option,
    media_options,
    output_options,
    prompt_options,
    read_spec,
    spec_options,
    take_build_options,
    take_content,
    take_prompts,
    take_target,
    where_options,
)
from geminate.cli.report import (
    EXIT_JOB_FAILED,
    EXIT_SOME_NOT_OK,
    Report,
    TerminalProgress,
    leaving_jobs,
    with_on_done,
)
from geminate.errors import UsageError

if TYPE_CHECKING:
    from geminate.pipeline.whole import Whole, WholeOptions
    from geminate.pipeline.written.outputs import Joined


@click.command()
@click.argument("prompts", nargs=-1, required=True)
@spec_options
@media_options
@prompt_options
@build_options
@submit_options
@output_options
@click.option(
    "--run", "run_path", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.  [default: OUT.run]"
)
@click.option("--detach", is_flag=True, help="End once the jobs are made; the same command without it goes on.")
@on_done_option
@where_options
@json_option
def run(prompts: tuple[str, ...], out: str, run_path: Path | None, *, dry_run: bool, **options: Any) -> Report:
    """Build, submit, wait and collect. The same command again goes on where it was interrupted."""
    from geminate.pipeline.whole import build_whole, run_whole

    if run_path is None and out == "-":
        raise UsageError("the run needs a folder", remedy="name one with --run")
    on_done, spec = options.pop("on_done"), read_spec(options)
    whole_options = _take_whole_options(run_path or Path(f"{out.removeprefix('bq://')}.run"), out, options)
    if on_done and whole_options.detach:
        raise UsageError("--on-done with --detach", remedy="give it to the command that waits")
    target = whole_options.target
    opened = take_prompts(prompts, target.where if target else None, options)
    with leaving_jobs(whole_options.run_path), TerminalProgress() as notify:
        if dry_run:
            # Whoever rehearses wants to see the lines.
            whole_options = replace(whole_options, build=replace(whole_options.build, keep_lines=True))
            built = build_whole(opened, spec, whole_options, notify)
            return drafts_report(built, target, whole_options.submit)
        whole = run_whole(opened, spec, whole_options, notify)
    if whole.joined is None:
        return _detached_report(whole)
    return with_on_done(_whole_report(whole, whole.joined), whole.run.folder.path, on_done)


def _take_whole_options(run_path: Path, out: str, options: dict[str, Any]) -> WholeOptions:
    from geminate.pipeline.collect import CollectOptions
    from geminate.pipeline.whole import WholeOptions

    target, output = take_target(options), take_output(options)
    return WholeOptions(
        run_path,
        out,
        build=take_build_options(options, target.where if target else None),
        target=target,
        collect=CollectOptions(options.pop("prefix"), options.pop("keep_response"), output, **take_content(options)),
        submit=take_submit_options(options),
        detach=options.pop("detach"),
    )


def _detached_report(whole: Whole) -> Report:
    report = jobs_report(whole.run, whole.jobs)
    sentences = [*built_sentences(whole.run.folder.path, whole.run.manifest), *report.sentences]
    return replace(report, sentences=[*sentences, "detached; the same command without --detach waits and collects"])


def _whole_report(whole: Whole, joined: Joined) -> Report:
    failed = whole.run.status(refresh=False).failed
    sentences = [
        *built_sentences(whole.run.folder.path, whole.run.manifest),
        *(f"{job.state} {job.name}: {job.error}" for job in failed),
        *joined_sentences(joined),
    ]
    document = {
        "run": str(whole.run.folder.path),
        "jobs": [job_document(job) for job in whole.jobs],
        **joined_document(joined),
    }
    code = 0 if joined.all_ok else EXIT_SOME_NOT_OK
    return Report(document, sentences, EXIT_JOB_FAILED if failed else code)
