"""The options that several commands share, and the values they become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.errors import UsageError

if TYPE_CHECKING:
    from geminate.connect import Where
    from geminate.formats.prompts import PromptOptions, Prompts
    from geminate.pipeline.build import BuildOptions
    from geminate.pipeline.building.opening import Stores
    from geminate.pipeline.submitting.target import Target
    from geminate.stages.specs import Spec

Command = Callable[..., Any]


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """The options as one decorator, in this order."""
    return lambda command: reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


spec_options = together(
    click.option("--spec", "spec_path", metavar="FILE", help="The spec: model, request, answer schema (YAML or JSON)."),
    click.option("--model", metavar="M", help="The model, where there is no spec file."),
    click.option(
        "--prompt", metavar="TEXT", help="The text of one user turn, with {{ column }} slots; @FILE reads it."
    ),
    click.option("--system", metavar="TEXT", help="The system instruction; @FILE reads it."),
    click.option("--answer-schema", metavar="FILE", help="JSON Schema of the answer."),
    click.option(
        "--answer-form", metavar="FORM", help="How it is asked for: responseSchema, unless this says otherwise."
    ),
)


def _where_options(*, make_jobs: bool) -> Callable[[Command], Command]:
    """Where things are; what only matters to jobs is taken by commands that make none, and not shown."""
    emulate = "Rehearse: an embedded emulator answers, and nothing is paid."
    hidden = not make_jobs
    return together(
        click.option("--project", metavar="P", help="The Google Cloud project; by default the credentials' own."),
        click.option("--location", metavar="L", hidden=hidden, help="The location of the jobs.  [default: global]"),
        click.option("--emulate", is_flag=True, hidden=hidden, help=emulate),
        click.option(
            "--answerer", metavar="MODULE:FUNCTION", hidden=hidden, help="With --emulate: what answers instead."
        ),
        click.option("--faults", metavar="FILE", hidden=hidden, help="With --emulate: a fault script."),
        click.option("--endpoint", metavar="URL", help="Another service, such as a running geminate emulate."),
        click.option("--buckets", "buckets_path", metavar="DIR", help="A folder that stands in for Cloud Storage."),
        click.option(
            "--impersonate-service-account",
            "impersonate",
            metavar="EMAIL",
            help="Make all calls as this service account.",
        ),
    )


where_options = _where_options(make_jobs=True)
store_options = _where_options(make_jobs=False)

media_options = together(
    click.option(
        "--media-column",
        "media_columns",
        multiple=True,
        metavar="COL",
        help="A column of paths, gs:// URIs or bytes that stands before --prompt; again for several.",
    ),
    click.option(
        "--max-image-edge", type=click.IntRange(min=1), metavar="PIXELS", help="Scale larger images of those down."
    ),
)

prompt_options = together(
    click.option("--key", metavar="COL", help="The column that tells prompts apart.  [default: key, else generated]"),
    click.option("--input-format", metavar="FORMAT", help="The prompts' format, where the name does not tell."),
    click.option("--columns", metavar="A,B,…", help="Column names of CSV or TSV files without a header."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N prompts."),
    click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N prompts at random, in input order."),
    click.option(
        "--max-bytes-billed", type=click.IntRange(min=0), metavar="N", help="Run BigQuery queries billed for at most N."
    ),
    click.option("--seed", type=int, default=0, metavar="N", help="What --sample starts from."),
    click.option("--where", metavar="EXPR", help="Only prompts for which this SQL expression is true."),
)
build_options = together(
    click.option(
        "--upload", metavar="gs://…", help="Store local media there, once each, instead of having them inline."
    ),
    click.option("--shard-rows", type=click.IntRange(min=1), metavar="N", help="At most N requests a shard."),
    click.option("--shard-bytes", type=click.IntRange(min=1), metavar="N", help="At most N bytes a shard."),
    click.option("--spool", is_flag=True, help="Keep the shards in the run's folder, too, where they go to a bucket."),
    click.option("--dedupe", is_flag=True, help="Send equal requests once; their prompts share the prediction."),
    click.option(
        "--on-reject",
        type=click.Choice(["keep", "fail"]),
        default="keep",
        show_default=True,
        help="What a prompt that breaks a rule does: become a rejected row, or stop the build.",
    ),
)

history_option = click.option(
    "--history",
    metavar="RUN|ROWS",
    help="A finished run or joined rows, whose usage takes the place of assumptions.",
)


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
output_options = together(
    click.option(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="The joined rows: .parquet .jsonl .csv .arrow, bq://P.D.T, or -.",
    ),
    click.option("--output-format", metavar="FORMAT", help="OUT's format, where its name does not tell."),
    overwrite_option,
    click.option("--raw-cells", is_flag=True, help="Leave CSV cells that a spreadsheet would run as they are."),
    click.option("--prefix", default="gemini_", show_default=True, metavar="P", help="What added columns begin with."),
    click.option("--keep-response", is_flag=True, help="Add the raw response as a column."),
    click.option("--keep-thoughts", is_flag=True, help="Add the model's thoughts as a column."),
    click.option(
        "--with",
        "contents",
        multiple=True,
        metavar="A,B,…",
        help="Add columns of code, citations, grounding, logprobs or safety.",
    ),
    click.option("--media", metavar="DIR", help="Write inline data to files in DIR, and add a column that names them."),
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document to stdout.")
SPEC_NAMES = ("spec_path", "model", "prompt", "system", "answer_schema", "answer_form")

run_argument = click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))


def read_spec(options: dict[str, Any]) -> Spec:
    """The spec that the SPEC-OPTIONS name; they are taken out of ``options``.

    Raises:
        UsageError: Neither or both ways of giving one were used.
    """
    from geminate.stages.specs import Spec

    path, model, prompt, system, answer, form = (options.pop(name) for name in SPEC_NAMES)
    media = _take_media(options)
    if path is not None:
        if any(option is not None for option in (prompt, system, answer, form, model)):
            remedy = "leave out --model, --prompt, --system, --answer-schema and --answer-form"
            raise UsageError("--spec says it all", remedy=remedy)
        if media:
            remedy = "write {{ COL | part }} among its parts instead of --media-column"
            raise UsageError("--spec says it all", remedy=remedy)
        return Spec.load(path)
    if model is None or prompt is None:
        raise UsageError("there is no spec", remedy="give --spec FILE, or --model M and --prompt TEXT")
    schema = answer and Path(answer)
    spec = Spec.from_prompt(model, read_text(prompt), system=system and read_text(system), answer=schema, media=media)
    return replace(spec, answer_form=form)


def _take_media(options: dict[str, Any]) -> dict[str, Any]:
    """The media's columns, each with its options; where a command has such options, they are taken."""
    edge = options.pop("max_image_edge", None)
    columns = options.pop("media_columns", ())
    if edge and not columns:
        raise UsageError(
            "--max-image-edge goes with --media-column", remedy="in a spec, write media: {COL: {max_edge: N}}"
        )
    return {column: {"max_edge": edge} if edge else {} for column in columns}


def read_answer_spec(options: dict[str, Any]) -> Spec | None:
    """The spec that answers are held against, None where no option names one.

    The options are taken out of ``options``. An answer schema alone will do; then nothing is known of the requests.

    Raises:
        UsageError: The options contradict each other.
    """
    from geminate.stages.specs import Spec

    given = {name for name in SPEC_NAMES if options[name] is not None}
    if given - {"answer_form"} == {"answer_schema"}:
        answer = Path(options["answer_schema"])
        for name in SPEC_NAMES:
            del options[name]
        return Spec.from_prompt("unknown", "unknown", answer=answer)
    if given:
        return read_spec(options)
    return None


def take_where(options: dict[str, Any]) -> Where | None:
    """Where the run should live, None where no option says; they are taken out of ``options``."""
    from geminate.connect import DEFAULT_LOCATION, Where

    names = ("project", "location", "emulate", "endpoint", "buckets_path", "answerer", "faults", "impersonate")
    given = {name: options.pop(name) for name in names}
    if not any(given.values()):
        return None
    if given["emulate"] and (given["endpoint"] or given["buckets_path"]):
        raise UsageError(
            "--emulate brings its own job service and buckets", remedy="leave out --endpoint and --buckets"
        )
    if given["endpoint"] and not given["endpoint"].startswith(("http://", "https://")):
        raise UsageError(
            "not a URL", where=f"--endpoint {given['endpoint']}", remedy="begin it with http:// or https://"
        )
    for name in ("answerer", "faults"):
        if given[name] and not given["emulate"]:
            raise UsageError(f"--{name} goes with --emulate")
    given["faults"] = str(Path(given["faults"]).absolute()) if given["faults"] else None
    given["buckets_path"] = Path(given["buckets_path"]) if given["buckets_path"] else None
    return Where(**{**given, "location": given["location"] or DEFAULT_LOCATION})


def take_prompt_options(options: dict[str, Any]) -> PromptOptions:
    """How prompts are read; the options are taken out of ``options``."""
    from geminate.formats.prompts import PromptOptions

    columns = options.pop("columns")
    names = ("input_format", "limit", "sample", "seed", "where", "max_bytes_billed")
    return PromptOptions(columns=tuple(columns.split(",")) if columns else None, **{n: options.pop(n) for n in names})


def take_content(options: dict[str, Any]) -> dict[str, Any]:
    """What is read of the responses beside the answers' text; the options are taken out of ``options``."""
    names = ["thoughts"] if options.pop("keep_thoughts") else []
    given = [name.strip() for text in options.pop("contents") for name in text.split(",")]
    return {"content": (*names, *filter(None, given)), "media": options.pop("media")}


def read_text(text: str) -> str:
    """The text itself, or what the file holds that ``@FILE`` names.

    Raises:
        UsageError: It cannot be read.
    """
    if not text.startswith("@"):
        return text
    path = Path(text[1:])
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {getattr(error, 'strerror', error)}", where=str(path)) from error


def take_build_options(options: dict[str, Any], where: Where | None) -> BuildOptions:
    """How the run is built; the options are taken out of ``options``.

    Args:
        options: The command's options.
        where: Where media are uploaded to.
    """
    from geminate.connect import Where
    from geminate.pipeline.build import BuildOptions
    from geminate.pipeline.building.prompt_media import Upload

    names = {"key": "key", "shard_rows": "max_rows", "shard_bytes": "max_shard_bytes"}
    names |= {"on_reject": "on_reject", "dedupe": "dedupe", "spool": "keep_lines"}
    given = {field: options.pop(name) for name, field in names.items()}
    upload = Upload(options.pop("upload"), where or Where())
    given = {field: value for field, value in given.items() if value is not None or field == "key"}
    return BuildOptions(**given, upload=upload)


def take_prompts(sources: tuple[str, ...], where: Where | None, options: dict[str, Any]) -> Prompts:
    """The prompts of the PROMPTS arguments; their options are taken out of ``options``."""
    from geminate.connect import Where
    from geminate.pipeline.building.opening import Stores, as_prompts

    return as_prompts(list(sources), take_prompt_options(options), Stores(where or Where()))


def take_target(options: dict[str, Any]) -> Target | None:
    """Where the jobs should go, None where no option says; they are taken out of ``options``."""
    from geminate.connect import Where
    from geminate.pipeline.submitting.target import Target

    where, places = take_where(options), (options.pop("staging"), options.pop("predictions_to"))
    return None if where is None and not any(places) else Target(where or Where(), *places)


def take_stores(options: dict[str, Any]) -> Stores:
    """What opens the stores behind ``gs://`` and ``bq://`` URIs; the options are taken out of ``options``."""
    from geminate.connect import Where
    from geminate.pipeline.building.opening import Stores

    return Stores(take_where(options) or Where())
