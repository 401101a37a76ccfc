"""Options become values, values go to the pipeline, its answer to a report, the report to an exit code."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from typing import NoReturn

import click

from geminate import __version__
from geminate.cli.report import JobsLeftError, Report
from geminate.errors import GeminateError, TransientError, room_left

_INTERRUPTED = 130
_COMMANDS = {
    "build": "building",
    "check": "checking",
    "estimate": "estimating",
    "submit": "jobs",
    "status": "waiting",
    "wait": "waiting",
    "cancel": "waiting",
    "retry": "jobs",
    "collect": "joining",
    "join": "joining",
    "run": "running",
    "verify": "checking",
    "emulate": "emulating",
}


class _Commands(click.Group):
    """Finds a command's module when it is called, so that starting loads nothing else."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"geminate.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        if args and args[0] not in _COMMANDS and (close := get_close_matches(args[0], _COMMANDS, 1)):
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{close[0]}'?")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="geminate")
def cli() -> None:
    """Gemini batch prediction on Vertex AI: prompts in, joined rows out, every row accounted for.

    Exit codes: 0 all rows ok; 1 unexpected; 2 usage; 3 finished, some rows not ok; 4 a job failed; 5 invalid input;
    75 try again, nothing lost; 77 no permission; 130 interrupted.
    """
    from geminate.pipeline.pace.lightness import calm_collector, share_interpreter, spare_pandas, spare_threads

    calm_collector()
    share_interpreter()
    if "--answerer" not in sys.argv:  # An answerer may want pandas and pyarrow together, and algebra.
        spare_threads()
        spare_pandas()


def main() -> NoReturn:
    """Does not return; the process ends with the command's exit code."""
    as_json = "--json" in sys.argv
    from geminate.pipeline.pace.lightness import leave_cycles

    atexit.register(leave_cycles)
    try:
        with room_left("writing"):
            report = cli.main(standalone_mode=False, prog_name="geminate")
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GeminateError as error:
        report = _failure(type(error).__name__, error.sentence, error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        sentence = "interrupted; jobs that run go on, and the same command goes on from here"
        if isinstance(stop, JobsLeftError):
            sentence += f"; geminate cancel {stop.run_path} ends them"
        report = _failure("Interrupted", sentence, _INTERRUPTED)
    except BrokenPipeError:
        report = Report(None, exit_code=1)
    except Exception as error:
        if os.environ.get("GEMINATE_DEBUG"):
            raise
        sentence = f"unexpected {type(error).__name__}: {error}; set GEMINATE_DEBUG=1 to see where"
        report = _failure(type(error).__name__, sentence, 1)
    if isinstance(report, Report):
        sys.exit(_show(report, as_json=as_json))
    sys.exit(report if isinstance(report, int) else 0)


def _show(report: Report, *, as_json: bool) -> int:
    """The exit code, after the report was shown as far as anybody takes it."""
    try:
        with room_left("the standard output"):
            report.show(as_json=as_json)
            sys.stdout.flush()
    except (BrokenPipeError, TransientError) as error:
        # What waits in the buffer would be tried again, and fail again, when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 1  # Whoever read our output has gone; there is nobody to tell.
        if report.exit_code != error.exit_code:
            click.echo(f"geminate: {error.sentence}", err=True)
        return error.exit_code
    return report.exit_code


def _failure(kind: str, sentence: str, exit_code: int) -> Report:
    document = {"error": {"kind": kind, "message": sentence, "exit_code": exit_code}}
    return Report(document, [f"geminate: {sentence}"], exit_code)
