"""``geminate check`` and ``geminate verify``: is it right, and is it still what it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geminate.cli.options import json_option, run_argument, store_options, take_stores
from geminate.cli.report import EXIT_INVALID, Report, TerminalProgress
from geminate.errors import counted

if TYPE_CHECKING:
    from geminate.formats.line_files import LineFile
    from geminate.wire.violations import Violation

_SHOWN = 50


@click.command()
@click.argument("requests", nargs=-1, required=True)
@click.option("--key", metavar="NAME", help="The member that holds a line's key.  [default: key, else custom_id]")
@click.option(
    "--fix",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write the lines to OUT, repaired as far as there is one right answer, and check those.",
)
@click.option("--advice", is_flag=True, help="Report what harms no job too, such as deprecated fields.")
@click.option("--for-bigquery", is_flag=True, help="Leave out the rules that hold for Cloud Storage input only.")
@store_options
@json_option
def check(requests: tuple[str, ...], key: str | None, fix: Path | None, advice: bool, **options: Any) -> Report:  # noqa: FBT001 click passes by name
    """Lint request lines of any origin.

    They are held against the service's schema, the importer's rules and the limits. With --json each violation is
    one line of JSON.
    """
    import msgspec

    from geminate.formats.line_files import find_line_files
    from geminate.pipeline.building.checked_lines import iter_request_violations
    from geminate.pipeline.check import find_requests
    from geminate.stages.checks import CheckOptions

    as_json = options["as_json"]
    stores = take_stores(options)
    files, for_table = find_requests(requests, stores)
    fixes = _fix(files, fix) if fix else []
    files = find_line_files([str(fix)], stores.objects) if fix else files
    counts: Counter[str] = Counter()
    with TerminalProgress() as notify:
        wanted = CheckOptions(import_rules=not (options.pop("for_bigquery") or for_table), advice=advice, key=key)
        for violation in iter_request_violations(files, wanted, notify):
            counts[violation.rule] += 1
            if as_json:
                click.echo(msgspec.json.encode(asdict(violation)))
            elif counts.total() <= _SHOWN:
                click.echo(_line(violation))
    sentences = (
        [*fixes, f"{counted(counts.total(), 'violation')} in {counted(len(files), 'file')}"]
        if counts
        else [*fixes, "no violations"]
    )
    sentences += [f"{count:>9,}  {rule}" for rule, count in counts.most_common()]
    return Report(None, [] if as_json else sentences, EXIT_INVALID if counts else 0)


@click.command()
@run_argument
@json_option
def verify(run_path: Path, **options: Any) -> Report:
    """Compare RUN's files with what was written."""
    from geminate.pipeline.run_folder.folder import RunFolder
    from geminate.pipeline.verify import iter_damages

    del options
    damages = list(iter_damages(RunFolder(run_path)))
    document = {"run": str(run_path), "damages": [asdict(damage) for damage in damages]}
    places = [damage.file if "://" in damage.file else run_path / damage.file for damage in damages]
    sentences = [f"{place}: {damage.message}" for place, damage in zip(places, damages, strict=True)]
    return Report(document, sentences or [f"{run_path} is as it was written"], EXIT_INVALID if damages else 0)


def _fix(files: list[LineFile], out: Path) -> list[str]:
    """What a person is told of the repairs."""
    from geminate.pipeline.check import fix_requests

    count, shown = 0, []
    for count, fix in enumerate(fix_requests(files, out), 1):
        if count <= _SHOWN:
            shown.append(f"{fix.file}:{fix.line}: {fix.change}")
    more = [f"… and {count - _SHOWN:,} more repairs"] if count > _SHOWN else []
    return [*shown, *more, f"{counted(count, 'repair')}: {out}"]


def _line(violation: Violation) -> str:
    key = f" (key {violation.key})" if violation.key is not None else ""
    return f"{violation.file}:{violation.line}{key}: {violation.path}: {violation.message} [{violation.rule}]"
