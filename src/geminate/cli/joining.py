"""``geminate collect`` and ``geminate join``: predictions to joined rows."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.options import (
    json_option,
    output_options,
    prompt_options,
    read_answer_spec,
    run_argument,
    spec_options,
    store_options,
    take_content,
    take_prompt_options,
    take_stores,
)
from geminate.cli.report import EXIT_SOME_NOT_OK, Report, TerminalProgress
from geminate.errors import counted

if TYPE_CHECKING:
    from geminate.pipeline.written.outputs import Joined, OutputOptions

_STRAYS = {
    "orphans": ("prediction belongs to no prompt", "predictions belong to no prompt"),
    "unreadable": ("line cannot be read", "lines cannot be read"),
    "suspects": (
        "prediction has the key of one prompt and the request of another",
        "predictions have the key of one prompt and the request of another",
    ),
}
_FURTHER = {
    "repeats": (
        "prediction repeats what a former job had answered; it is billed once",
        "predictions repeat what a former job had answered; they are billed once",
    ),
    "fanned_out": (
        "prompt shares the prediction of an equal request, which was sent once",
        "prompts share the prediction of an equal request, which was sent once",
    ),
    "duplicates": (
        "further prediction for a prompt that has one; it may be billed",
        "further predictions for prompts that have one; they may be billed",
    ),
}
"""What a count is called where it is one, and where it is more."""


@click.command()
@run_argument
@output_options
@json_option
def collect(run_path: Path, out: str, prefix: str, keep_response: bool, **options: Any) -> Report:  # noqa: FBT001 click passes by name
    """Join the predictions of RUN to its prompts. Each has one row, in input order."""
    from geminate.pipeline.collect import CollectOptions
    from geminate.pipeline.runs import Run

    with TerminalProgress() as notify:
        wanted = CollectOptions(prefix, keep_response, take_output(options), **take_content(options))
        joined = Run.open(run_path).collect(out, wanted, notify)
    return _report(joined)


@click.command()
@click.option(
    "--inputs", multiple=True, metavar="PROMPTS|REQUESTS", help="The prompts, or the request lines sent for them."
)
@click.option("--predictions", multiple=True, required=True, metavar="URI…", help="Files, folders or gs:// prefixes.")
@click.argument("more", nargs=-1, metavar="[URI]...")
@click.option(
    "--by",
    type=click.Choice(["auto", "key", "request", "column"]),
    default="auto",
    show_default=True,
    help="What predictions are known by.",
)
@spec_options
@prompt_options
@output_options
@store_options
@json_option
def join(
    inputs: tuple[str, ...], predictions: tuple[str, ...], more: tuple[str, ...], out: str, **options: Any
) -> Report:
    """Join predictions of any origin, no run needed. Without --inputs: the predictions alone."""
    from geminate.pipeline.join import JoinSettings, open_alone, open_join
    from geminate.pipeline.submitting.datasets import is_table
    from geminate.pipeline.written.output_tables import check_output, write_joined_table
    from geminate.pipeline.written.outputs import write_joined

    spec = read_answer_spec(options)
    names, key, by = ("prefix", "keep_response"), options.pop("key"), options.pop("by")
    kept = {name: options.pop(name) for name in names} | take_content(options)
    settings = JoinSettings(key=key, by=by, prompts=take_prompt_options(options), **kept)
    output, stores = take_output(options), take_stores(options)
    check_output(out, output)
    with TerminalProgress() as notify:
        files = [*predictions, *more]
        source = (
            open_join(list(inputs), files, spec, settings, stores)
            if inputs
            else open_alone(files, spec, settings, stores)
        )
        if is_table(out):
            joined = write_joined_table(source, out, stores.tables(), f"geminate-rows-{secrets.token_hex(8)}", notify)
        else:
            joined = write_joined(source, out, output, notify)
    return _report(joined)


def take_output(options: dict[str, Any]) -> OutputOptions:
    """How the output is written; the options are taken out of ``options``."""
    from geminate.pipeline.written.outputs import OutputOptions

    overwrite, output_format, raw = (options.pop(name) for name in ("overwrite", "output_format", "raw_cells"))
    return OutputOptions(overwrite, output_format, guard_formulas=not raw)


def joined_document(joined: Joined) -> dict[str, Any]:
    """What ``--json`` says of an output."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(joined)
    return document


def joined_sentences(joined: Joined) -> list[str]:
    """What a person is told of an output."""
    others = {name: count for name, count in joined.outcomes.items() if name != "ok"}
    out = "stdout" if joined.out == "-" else joined.out
    sentences = [f"{joined.outcomes.get('ok', 0):,} of {counted(joined.rows, 'prompt')} ok: {out}"]
    sentences += [f"{count:>9,}  {name}" for name, count in sorted(others.items())]
    sentences += _count_sentences(joined, _STRAYS)
    if joined.orphans and not joined.used:
        sentences.append("no prediction found its prompt: name the key with --key, or give the spec to join by request")
    sentences += _count_sentences(joined, _FURTHER)
    if joined.repairs:
        ways = ", ".join(f"{name} {count:,}" for name, count in sorted(joined.repairs.items()))
        repaired = sum(joined.repairs.values())
        text = "answer was" if repaired == 1 else "answers were"
        sentences.append(f"{repaired:>9,}  {text} JSON only after a repair: {ways}")
    return sentences


def _count_sentences(joined: Joined, words: dict[str, tuple[str, str]]) -> list[str]:
    counts = {name: getattr(joined, name) for name in words}
    return [f"{count:>9,}  {words[name][count > 1]}" for name, count in counts.items() if count]


def _report(joined: Joined) -> Report:
    return Report(joined_document(joined), joined_sentences(joined), 0 if joined.all_ok else EXIT_SOME_NOT_OK)
