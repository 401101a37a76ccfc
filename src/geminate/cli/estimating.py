"""``geminate estimate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from geminate.cli.options import (
    SPEC_NAMES,
    history_option,
    json_option,
    media_options,
    prompt_options,
    read_spec,
    spec_options,
    store_options,
    take_prompts,
    take_where,
)
from geminate.cli.report import Report, TerminalProgress
from geminate.errors import UsageError, counted

if TYPE_CHECKING:
    from geminate.pipeline.pace.progress import Notify
    from geminate.stages.estimates import Estimate, Range

_SPEC_OPTIONS = (*SPEC_NAMES, "media_columns", "max_image_edge")


@click.command()
@click.argument("run_or_prompts", metavar="RUN|PROMPTS…", nargs=-1, required=True)
@spec_options
@media_options
@prompt_options
@history_option
@store_options
@json_option
def estimate(run_or_prompts: tuple[str, ...], history: str | None, **options: Any) -> Report:
    """Reckon requests, tokens and cost. They are ranges; nothing is sent."""
    from geminate.pipeline.run_folder.folder import is_run

    with TerminalProgress() as notify:
        if any(map(is_run, run_or_prompts)):
            found = _estimate_run(run_or_prompts, history, options, notify)
        else:
            found = _estimate_prompts(run_or_prompts, history, options, notify)
    return Report(estimate_document(found), estimate_sentences(found))


def _estimate_run(names: tuple[str, ...], history: str | None, options: dict[str, Any], notify: Notify) -> Estimate:
    from geminate.pipeline.runs import Run

    if len(names) > 1:
        raise UsageError("a run is estimated by itself", where=" ".join(names), remedy="name one run, or prompts")
    if any(options[name] for name in _SPEC_OPTIONS):
        raise UsageError("a run has its own spec", where=names[0], remedy="leave out the spec's options")
    return Run.open(names[0]).estimate(history, notify)


def _estimate_prompts(names: tuple[str, ...], history: str | None, options: dict[str, Any], notify: Notify) -> Estimate:
    from geminate.pipeline.estimate import estimate_lines
    from geminate.pipeline.lines import RequestLines
    from geminate.pipeline.usage import read_history

    spec, where = read_spec(options), take_where(options)
    lines = RequestLines(take_prompts(names, where, options), spec, options.pop("key"))
    usage = None if history is None else read_history(history, spec)
    return estimate_lines(lines, spec.model, usage, notify)


def estimate_document(found: Estimate) -> dict[str, Any]:
    """What ``--json`` says of an estimate."""
    return {
        "model": found.model,
        "requests": found.requests,
        "rejected": found.rejected,
        "media": found.media,
        "input_tokens": found.input_tokens._asdict(),
        "output_tokens": found.output_tokens._asdict(),
        "cost_usd": found.cost_usd and {end: round(usd, 6) for end, usd in found.cost_usd._asdict().items()},
        "prices": found.prices and {"source": found.prices.source, "date": found.prices.date},
        "history_rows": found.history_rows,
        "notes": list(found.notes),
    }


def estimate_sentences(found: Estimate) -> list[str]:
    """What a person is told of an estimate."""
    from geminate.stages.estimates import format_usd

    rejected = f"; {counted(found.rejected, 'prompt')} rejected" if found.rejected else ""
    media = "".join(f", {counted(count, kind)}" for kind, count in found.media.items())
    sentences = [
        f"{counted(found.requests, 'request')} to {found.model}{media}{rejected}",
        f"input   {_tokens(found.input_tokens)}",
        f"output  {_tokens(found.output_tokens)}, thoughts included",
    ]
    if found.cost_usd is not None and found.prices is not None:
        low, likely, high = map(format_usd, found.cost_usd)
        sentences.append(f"cost    {likely} likely, {low} to {high}, at batch rates")
        sentences.append(f"prices of {found.prices.date}, {found.prices.source}")
    if found.history_rows:
        sentences.append(f"by the usage of {counted(found.history_rows, 'earlier prediction')}")
    return [*sentences, *found.notes]


def _tokens(tokens: Range) -> str:
    low, likely, high = (f"{number:,}" for number in tokens)
    return f"{likely} tokens likely, {low} to {high}"
