"""The options about jobs, and the values they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from geminate.cli.options import history_option, read_text, together
from geminate.errors import UsageError

if TYPE_CHECKING:
    from geminate.pipeline.budget import Budget
    from geminate.pipeline.submit import SubmitOptions
    from geminate.wire.changes import Changes


def _tokens(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "double":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 nor 'double'", ctx, param)
    return int(value)


on_doubt_option = click.option(
    "--on-doubt",
    type=click.Choice(["post", "stop"]),
    default="post",
    show_default=True,
    help="After a create call without a clear end, when the service shows no job for long: call again, or stop.",
)
max_running_option = click.option(
    "--max-running", type=click.IntRange(min=1), metavar="N", help="At most N unfinished jobs of the run at a time."
)
on_done_option = click.option(
    "--on-done", metavar="COMMAND", help="Run this once all jobs have ended; it gets the counts as JSON on its input."
)
job_options = together(
    click.option("--display-name", metavar="TEXT", help="What the jobs' names begin with.  [default: geminate]"),
    click.option("--label", "labels", multiple=True, metavar="K=V", help="A label of the jobs; again for several."),
    click.option("--model-parameters", metavar="JSON", help="The jobs' modelParameters; @FILE reads them."),
    max_running_option,
    on_doubt_option,
    click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Stop if it may cost more."),
    click.option("--max-jobs", type=click.IntRange(min=1), metavar="N", help="Stop if it makes more jobs."),
    history_option,
    click.option("--no-preflight", is_flag=True, help="Do not look at bucket, service and limits beforehand."),
    click.option("--dry-run", is_flag=True, help="Print the create calls' bodies, one a line; send nothing."),
)
submit_options = together(
    click.option(
        "--staging",
        metavar="gs://…|bq://P.D",
        help="Below which request lines and predictions lie, or the dataset of their tables.",
    ),
    click.option("--predictions-to", metavar="gs://…|bq://P.D", help="Where predictions lie, if elsewhere."),
    job_options,
)

change_options = together(
    click.option(
        "--max-output-tokens",
        callback=_tokens,
        metavar="N|double",
        help="Truncated answers: send them again with so many output tokens, or twice as many.",
    ),
    click.option(
        "--thinking-budget", type=int, metavar="N", help="Truncated answers: send them again with this budget."
    ),
    click.option(
        "--temperature", type=float, metavar="T", help="Invalid, empty and aborted answers: with this temperature."
    ),
    click.option("--seed", type=int, metavar="N", help="Invalid, empty and aborted answers: with this seed."),
)


def _take_budget(options: dict[str, Any]) -> Budget | None:
    from geminate.pipeline.budget import Budget

    max_cost, max_jobs, history = (options.pop(name) for name in ("max_cost", "max_jobs", "history"))
    if history is not None and max_cost is None:
        raise UsageError("--history goes with --max-cost")
    return None if max_cost is None and max_jobs is None else Budget(max_cost, max_jobs, history)


def take_submit_options(options: dict[str, Any]) -> SubmitOptions:
    """How jobs are made; the options are taken out of ``options``.

    Raises:
        UsageError: The service would not take a label, a name or the model parameters.
    """
    from geminate.pipeline.submit import SubmitOptions
    from geminate.wire.jobs import JobSettings

    name, labels, parameters = (options.pop(option) for option in ("display_name", "labels", "model_parameters"))
    settings = None
    if name is not None or labels or parameters is not None:
        settings = JobSettings(
            JobSettings().display_name if name is None else name,
            dict(map(_label, labels)),
            None if parameters is None else _json_object(read_text(parameters)),
        )
    return SubmitOptions(
        post_again=options.pop("on_doubt") == "post",
        settings=settings,
        max_running=options.pop("max_running"),
        preflight=not options.pop("no_preflight"),
        budget=_take_budget(options),
    )


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError("a label is written KEY=VALUE", where=f"--label {text}")
    return key, value


def _json_object(text: str) -> dict[str, Any]:
    import msgspec

    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise UsageError(f"not a JSON object ({error})", where="--model-parameters") from error


def take_changes(options: dict[str, Any]) -> Changes:
    """What retried requests ask otherwise; the options are taken out of ``options``."""
    from geminate.wire.changes import Changes

    return Changes(**{n: options.pop(n) for n in ("max_output_tokens", "thinking_budget", "temperature", "seed")})
