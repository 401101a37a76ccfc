"""``geminate build``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.options import (
    build_options,
    json_option,
    media_options,
    prompt_options,
    read_spec,
    spec_options,
    take_build_options,
    take_prompts,
    take_where,
    where_options,
)
from geminate.cli.report import EXIT_SOME_NOT_OK, Report, TerminalProgress
from geminate.errors import UsageError, counted

if TYPE_CHECKING:
    from geminate.connect import Where
    from geminate.pipeline.run_folder.folder import Manifest, MediaRecord
    from geminate.pipeline.submitting.target import Target


@click.command()
@click.argument("prompts", nargs=-1, required=True)
@spec_options
@media_options
@prompt_options
@build_options
@click.option(
    "--out", required=True, metavar="DIR|gs://…|bq://P.D", help="The run's folder, or where its shards should lie."
)
@click.option(
    "--run",
    "run_path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run's folder, for a gs:// or bq:// OUT.",
)
@where_options
@json_option
def build(prompts: tuple[str, ...], out: str, run_path: Path | None, **options: Any) -> Report:
    """Write validated shards, and the run that they belong to.

    With a gs:// or bq:// OUT the same command again goes on where it was interrupted.
    """
    from geminate.pipeline.build import build_run

    spec, where = read_spec(options), take_where(options)
    remote = out.startswith(("gs://", "bq://"))
    if run_path is not None and not remote:
        raise UsageError("--run goes with a gs:// or bq:// OUT", remedy="the folder that --out names is the run")
    target = _target(where, out) if remote else None
    run_path = run_path or (Path(out.rstrip("/").rpartition("/")[2] + ".run") if remote else Path(out))
    chosen = take_build_options(options, where)
    if target and out.startswith("gs://") and not target.where.emulate:
        from geminate.pipeline.submitting.target import check_staging

        check_staging(target)
    uris: list[str] = []
    with TerminalProgress() as notify:
        opened = take_prompts(prompts, where, options)
        if target is None:
            manifest = build_run(opened, spec, run_path, replace(chosen, keep_lines=True), notify)
        else:
            from geminate.pipeline.whole import WholeOptions, build_whole

            run = build_whole(opened, spec, WholeOptions(run_path, "", chosen, target), notify)
            run.stage(target, notify)
            manifest = run.manifest
            uris = [status.attempt.input_uri for status in run.status(refresh=False).attempts]
    return _report(run_path, manifest, uris)


def _target(where: Where | None, out: str) -> Target:
    from geminate.connect import Where
    from geminate.pipeline.submitting.target import Target, check_target

    return check_target(Target(where or Where(), out))


def built_sentences(run_path: Path, manifest: Manifest) -> list[str]:
    """What a person is told of a build."""
    rows, shards = sum(shard.rows for shard in manifest.shards), len(manifest.shards)
    size_bytes = sum(shard.size_bytes for shard in manifest.shards)
    sentences = [f"{counted(rows, 'request')} in {counted(shards, 'shard')}, {size_bytes:,} bytes: {run_path}"]
    if manifest.prompts.followers:
        followers = counted(manifest.prompts.followers, "prompt")
        sentences.append(f"{followers} beside them with a request equal to one of these, which is sent once")
    if manifest.media:
        sentences.append(_media_sentence(manifest.media))
    sentences += manifest.notes
    if manifest.prompts.rejected:
        sentences.append(
            f"{counted(manifest.prompts.rejected, 'prompt')} rejected; {run_path / 'violations.jsonl'} says why"
        )
    return sentences


def _media_sentence(media: MediaRecord) -> str:
    counts = {
        f"inline, {media.inlined_bytes:,} bytes": media.inlined,
        f"uploaded, {media.uploaded_bytes:,} bytes": media.uploaded,
        "in the store already": media.reused,
        "referred to": media.referred,
        "scaled down": media.scaled,
    }
    said = "; ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    return f"media: {said or 'none'}"


def _report(run_path: Path, manifest: Manifest, uris: list[str]) -> Report:
    import msgspec

    shards = [{"name": s.name, "rows": s.rows, "size_bytes": s.size_bytes, "sha256": s.sha256} for s in manifest.shards]
    for shard, uri in zip(shards, uris, strict=False):
        shard["uri"] = uri
    document = {
        "run": str(run_path),
        "prompts": manifest.prompts.count,
        "requests": sum(shard.rows for shard in manifest.shards),
        "rejected": manifest.prompts.rejected,
        "followers": manifest.prompts.followers,
        "shards": shards,
    }
    if manifest.media:
        document["media"] = msgspec.structs.asdict(manifest.media)
    sentences = built_sentences(run_path, manifest)
    if uris:
        more = f", and {len(uris) - 1:,} more" if len(uris) > 1 else ""
        sentences.insert(1, f"request lines: {uris[0]}{more}")
    return Report(document, sentences, EXIT_SOME_NOT_OK if manifest.prompts.rejected else 0)
