"""Joined rows into an output, with what they count beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

import geminate
from geminate.errors import DamageError, GeminateError
from geminate.formats.atomic import AtomicFiles
from geminate.formats.rows import STDOUT, check_target, write_rows
from geminate.pipeline.pace.overlap import iter_ahead
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.pipeline.written.strays import StrayFiles
from geminate.stages.report import JoinReport
from geminate.stages.strays import Stray

OnStray = Callable[[Stray], None]
MAX_READINGS = 3
MANIFEST_SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class RowStream:
    """Joined rows as they are made.

    Attributes:
        schema: Their columns.
        report: Their counts, complete after the last one.
        rows: The record batches, to be taken once.
    """

    schema: pa.Schema
    report: JoinReport
    rows: Iterator[pa.RecordBatch]


OpenRows = Callable[[OnStray], RowStream]
"""Begins to make joined rows, and hands on each stray line on the way."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How an output is written.

    Attributes:
        overwrite: Whether an existing one is replaced.
        output_format: Its format, None for what its suffix says.
        guard_formulas: Whether CSV cells that a spreadsheet would run are disarmed.
    """

    overwrite: bool = False
    output_format: str | None = None
    guard_formulas: bool = True

    def check(self, out: str | Path) -> None:
        """Nothing, where the output can be written; to be asked before any work is done."""
        check_target(out, overwrite=self.overwrite, output_format=self.output_format)


class Joined(msgspec.Struct, frozen=True):
    """An output and its counts, as its manifest has them.

    Attributes:
        out: Its path.
        rows: How many joined rows it has.
        outcomes: Prompts by outcome.
        lines: Prediction lines read.
        used: Those that made a row.
        duplicates: Further lines for a prompt.
        repeats: Lines that repeat what a former job had answered, and are not billed again.
        orphans: Lines of no prompt.
        unreadable: Lines that are no predictions.
        suspects: Lines whose key and request belong to different prompts.
        fanned_out: Prompts that share the prediction of another's equal request.
        tokens: Sums over used lines.
        duplicate_tokens: Sums over duplicates, which are billed too.
        repairs: Valid answers that were not JSON as they stood, by what made them so.
        geminate: The version that wrote it.
    """

    out: str
    rows: int
    outcomes: dict[str, int]
    lines: int
    used: int
    duplicates: int
    orphans: int
    unreadable: int
    suspects: int
    tokens: dict[str, int]
    duplicate_tokens: dict[str, int]
    repairs: dict[str, int] = {}
    fanned_out: int = 0
    repeats: int = 0
    geminate: str = geminate.__version__

    @property
    def all_ok(self) -> bool:
        """Whether every row is ``ok`` and no line was lost or in doubt."""
        return set(self.outcomes) <= {"ok"} and not self.unreadable and not self.suspects


Published = Callable[[Joined, Mapping[Path, os.stat_result]], None]
"""Is told the counts of an output, and what the system knows of its files, when they are about to appear."""


def write_joined(
    open_rows: OpenRows,
    out: str | Path,
    options: OutputOptions | None = None,
    notify: Notify = silent,
    publishing: Published | None = None,
) -> Joined:
    """The output's counts. It appears whole, its side files and manifest before it, or nothing does.

    Predictions that come damaged from their store are read again, from the first row on.

    Raises:
        GeminateError: The counts do not add up.
        TargetError: The output exists.
    """
    options = options or OutputOptions()
    options.check(out)
    if str(out) == STDOUT:
        return _write_rows(open_rows(drop), out, options, notify)
    for _ in range(MAX_READINGS - 1):
        with suppress(DamageError):
            return _write_files(open_rows, Path(out), options, notify, publishing)
    return _write_files(open_rows, Path(out), options, notify, publishing)


def _write_files(
    open_rows: OpenRows, out: Path, options: OutputOptions, notify: Notify, publishing: Published | None
) -> Joined:
    with AtomicFiles(last=out) as files:
        strays = StrayFiles(files, out, overwrite=options.overwrite)
        joined = _write_rows(open_rows(strays.write), out, options, notify, files)
        manifest = out.with_name(out.name + MANIFEST_SUFFIX)
        document = msgspec.json.format(msgspec.json.encode(joined), indent=2) + b"\n"
        files.open(manifest, overwrite=True).write(document)
        if publishing:
            publishing(joined, files.sync())
    strays.remove_stale()
    return joined


def _write_rows(
    stream: RowStream, out: str | Path, options: OutputOptions, notify: Notify, files: AtomicFiles | None = None
) -> Joined:
    # What makes the rows may write strays, so that it has to end before their files do.
    with closing(iter_watched(stream, notify)) as rows:
        written = write_rows(
            rows,
            stream.schema,
            out,
            overwrite=options.overwrite,
            output_format=options.output_format,
            guard_formulas=options.guard_formulas,
            files=files,
        )
    return count_joined(str(out), written.rows, stream.report)


def check_balance(report: JoinReport) -> None:
    """Nothing.

    Raises:
        GeminateError: A prompt or a line is not accounted for, which is a fault of ours.
    """
    for sentence in report.imbalances():
        raise GeminateError(f"the counts do not add up: {sentence}", remedy="please report this")


def iter_watched(stream: RowStream, notify: Notify) -> Generator[pa.RecordBatch, None, None]:
    """The rows, made while the earlier ones are written; their counts are checked at the end."""
    done = 0
    with closing(iter_ahead(stream.rows, depth=1)) as record_batches:
        for record_batch in record_batches:
            done += record_batch.num_rows
            notify(Progress("collect", done, None, "rows"))
            yield record_batch
    check_balance(stream.report)


def count_joined(out: str, rows: int, report: JoinReport) -> Joined:
    """The counts of an output of so many rows."""
    fields = {name: getattr(report, name) for name in Joined.__struct_fields__ if hasattr(report, name)}
    return msgspec.convert({**fields, "out": out, "rows": rows}, Joined)


def drop(stray: Stray) -> None:
    """Nothing: where there is no place for side files, strays are only counted."""
    del stray
