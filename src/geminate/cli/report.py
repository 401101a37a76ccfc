"""What a command gives back, and how a person or a program is shown it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from geminate.errors import counted

if TYPE_CHECKING:
    from geminate.pipeline.pace.progress import Progress


EXIT_SOME_NOT_OK = 3
EXIT_JOB_FAILED = 4
EXIT_INVALID = 5


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a command.

    Attributes:
        document: What ``--json`` prints, None where the command has written its own data to stdout.
        sentences: What a person reads instead.
        exit_code: One of the contract's.
        lines: Data that stdout gets where no document is asked for.
    """

    document: dict[str, Any] | None
    sentences: list[str] = field(default_factory=list)
    exit_code: int = 0
    lines: list[str] = field(default_factory=list)

    def show(self, *, as_json: bool) -> None:
        """Nothing; the document goes to stdout, or the sentences to stderr."""
        if not as_json:
            for sentence in self.sentences:
                click.echo(sentence, err=True)
            for line in self.lines:
                click.echo(line)
        elif self.document is not None:
            click.echo(json.dumps(self.document, ensure_ascii=False))


def with_on_done(report: Report, run_path: Path, command: str | None) -> Report:
    """The report, with what went wrong in the user's own command, if there is one and it is its time."""
    from geminate.pipeline.submitting.on_done import run_on_done

    trouble = run_on_done(run_path, command, report.document or {}) if command else None
    if trouble is None:
        return report
    return replace(
        report, document={**(report.document or {}), "on_done": trouble}, sentences=[*report.sentences, trouble]
    )


class TerminalProgress:
    """Draws progress on a terminal, and only notices anywhere else; ``with TerminalProgress() as notify``."""

    def __init__(self) -> None:
        self._display: Any = None
        self._task: Any = None
        self._step = ""
        self._draws = sys.stderr.isatty()

    def __enter__(self) -> Callable[[Progress], None]:
        return self._notify

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _notify(self, progress: Progress) -> None:
        if progress.notice:
            self._close()
            click.echo(progress.notice, err=True)
        if not self._draws:
            return
        if progress.step != self._step:
            self._close()
            self._start(progress)
        text = f"{progress.unit} {progress.note}".rstrip()
        self._display.update(self._task, completed=progress.done, total=progress.total, text=text)

    def _close(self) -> None:
        if self._display is not None:
            self._display.stop()
            self._display = None
            self._step = ""

    def _start(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._display = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._display.start()
        self._task = self._display.add_task(progress.step, total=progress.total, text="")
        self._step = progress.step


class JobsLeftError(click.Abort):
    """The command was interrupted while a run may have jobs."""

    def __init__(self, run_path: Path) -> None:
        super().__init__()
        self.run_path = run_path


@contextmanager
def leaving_jobs(run_path: Path) -> Iterator[None]:
    """A block after whose interruption the run's jobs run on, of which the user is told."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not run_path.is_dir():
            raise
        raise JobsLeftError(run_path) from error


def age_text(seconds: float) -> str:
    """How long that is, in the largest unit that fits."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(max(0, int(seconds)), "second")
