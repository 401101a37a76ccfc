"""Run: from prompts to joined rows in one sentence, which goes on where it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from geminate.connect import open_tables
from geminate.errors import TargetError
from geminate.formats.prompts import Prompts
from geminate.ledger import Ledger
from geminate.pipeline.build import BuildOptions
from geminate.pipeline.collect import CollectOptions
from geminate.pipeline.pace.progress import Notify, silent
from geminate.pipeline.run_folder.folder import SourceRecord
from geminate.pipeline.run_folder.new_folder import made_meanwhile
from geminate.pipeline.runs import Run
from geminate.pipeline.submit import SubmitOptions
from geminate.pipeline.submitting.datasets import is_table
from geminate.pipeline.submitting.target import Target, check_staging, check_target
from geminate.pipeline.written.claims import read_finished
from geminate.pipeline.written.output_tables import refuse_existing
from geminate.pipeline.written.outputs import Joined
from geminate.stages.specs import Spec
from geminate.wire.jobs import Job


@dataclass(frozen=True, slots=True)
class WholeOptions:
    """Everything a whole run can be told.

    Attributes:
        run_path: The run's folder.
        out: The output.
        build: How it is built.
        target: Where its jobs go; None for where they went before.
        collect: How its rows are written.
        submit: How its jobs are made.
        detach: Whether it ends once the jobs are made.
    """

    run_path: Path
    out: str
    build: BuildOptions = field(default_factory=BuildOptions)
    target: Target | None = None
    collect: CollectOptions = field(default_factory=CollectOptions)
    submit: SubmitOptions = field(default_factory=SubmitOptions)
    detach: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """The end of a whole run: its output's counts, None where it was detached from its jobs, and those."""

    run: Run
    joined: Joined | None
    jobs: list[Job]


def run_whole(prompts: Prompts, spec: Spec, options: WholeOptions, notify: Notify = silent) -> Whole:
    """The finished run. A folder that is there already is the same run, interrupted, and goes on.

    Raises:
        TargetError: The output exists and is not this run's, or the folder belongs to another run; what differs is
            said.
    """
    run = _open_run(prompts, spec, options)
    if run is not None:
        run.settle(options.target)
        finished = _read_finished(run, options)
        if finished is not None:
            return Whole(run, finished, [status.job for status in run.status(refresh=False).attempts if status.job])
    options.collect.check(options.out, prompts.schema)
    run = run or _create_run(prompts, spec, options, notify)
    if options.detach:
        return Whole(run, None, run.submit(options.target, notify, options.submit))
    jobs = run.finish(options.target, notify, options.submit)
    try:
        return Whole(run, run.collect(options.out, options.collect, notify), jobs)
    except TargetError:
        finished = _read_finished(run, options)
        if finished is None:
            raise
        return Whole(run, finished, jobs)  # Another process did the same meanwhile.


def build_whole(prompts: Prompts, spec: Spec, options: WholeOptions, notify: Notify = silent) -> Run:
    """The run that ``run_whole`` would go on with: built, unless it is there, and nothing uploaded or sent."""
    run = _open_run(prompts, spec, options)
    return run or _create_run(prompts, spec, options, notify)


def _open_run(prompts: Prompts, spec: Spec, options: WholeOptions) -> Run | None:
    """The run if it is there and is the same; None where it is still to be built and may be."""
    if not options.run_path.exists():
        target = check_target(options.target)
        if target.for_bucket and not target.where.emulate:
            check_staging(target)
        if is_table(options.out) and not target.where.emulate:
            refuse_existing(open_tables(target.where), options.out)
        return None
    run = Run.open(options.run_path)
    _refuse_changes(run, prompts, spec, options.build)
    return run


def _create_run(prompts: Prompts, spec: Spec, options: WholeOptions, notify: Notify) -> Run:
    target = options.target
    keep_lines = options.build.keep_lines or target is None or not target.for_bucket
    build = replace(options.build, for_table=target is not None and target.for_table, keep_lines=keep_lines)
    try:
        return Run.create(options.run_path, prompts, spec, build, notify)
    except TargetError as error:
        # It was not there a moment ago.
        raise made_meanwhile(options.run_path) from error


def _read_finished(run: Run, options: WholeOptions) -> Joined | None:
    if options.collect.output.overwrite:
        return None
    with Ledger(run.folder.path, lock=False) as ledger:
        return read_finished(ledger, options.out, options.collect.columns)


def _refuse_changes(run: Run, prompts: Prompts, spec: Spec, options: BuildOptions) -> None:
    manifest, differences = run.manifest, []
    if manifest.spec_fingerprint != spec.fingerprint:
        differences.append("the spec")
    before = {source.uri: source for source in manifest.prompts.identity}
    now = {s.uri: SourceRecord(s.uri, s.size_bytes, s.crc32c) for s in prompts.identity}
    differences += [f"the prompts in {uri}" for uri in sorted(now) if before.get(uri) != now[uri]]
    differences += [f"the prompts, without {uri}" for uri in sorted(set(before) - set(now))]
    if manifest.prompts.selection != prompts.selection:
        before_text, now_text = (text or "all" for text in (manifest.prompts.selection, prompts.selection))
        differences.append(f"which prompts are taken ({before_text}, now {now_text})")
    if options.key is not None and options.key != manifest.key:
        differences.append(f"the key, which was {manifest.key!r}")
    if manifest.media is not None and manifest.media.upload_uri != options.upload.uri:
        differences.append(f"where media are uploaded to, which was {manifest.media.upload_uri or 'nowhere'}")
    if options.dedupe != manifest.is_deduped:
        differences.append("whether equal requests are sent once (--dedupe)")
    if differences:
        raise TargetError(
            f"a run of something else is there; different now: {'; '.join(differences)}",
            where=str(run.folder.path),
            remedy="undo the change, or name another --run or output",
        )
