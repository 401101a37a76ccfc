"""On done: a command of the user's, run when the jobs of a run have all ended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from geminate.ledger import OVER, Ledger

_FACT = "on_done"


def run_on_done(run_path: Path, command: str, document: dict[str, Any]) -> str | None:
    """What went wrong with the command, as a sentence; None where nothing did, or it is not its time.

    It gets the document as JSON on its input; what it prints goes to our standard error. Once it has ended with 0 it is
    not run again for the same attempts. One that failed, or was killed together with us, is. The run is not locked
    meanwhile, so that the command may use it.
    """
    with Ledger(run_path, lock=False) as ledger:
        attempts = ledger.attempts()
        done = ledger.facts().get(_FACT, [])
    if any(attempt.state not in OVER for attempt in attempts) or [command, len(attempts)] in done:
        return None
    text = json.dumps(document, ensure_ascii=False) + "\n"
    finished = subprocess.run(  # noqa: S602 the command is the user's own, and may be a pipeline
        command, shell=True, input=text.encode(), stdout=sys.stderr.fileno(), check=False
    )
    if finished.returncode != 0:
        return f"--on-done ended with {finished.returncode}, and is run again by the same command: {command}"
    with Ledger(run_path) as ledger:
        ledger.settle(_FACT, [*done, [command, len(attempts)]])
    return None
