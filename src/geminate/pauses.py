"""Pauses that end when the work of their thread is given up."""

from __future__ import annotations

import threading
import time

from geminate.errors import TransientError

_OF_THREAD = threading.local()


def end_when(given_up: threading.Event) -> None:
    """Nothing; from now on the pauses of this thread end with an error when the event is set."""
    _OF_THREAD.given_up = given_up


def is_given_up() -> bool:
    """Whether nobody wants what this thread does any more."""
    given_up: threading.Event | None = getattr(_OF_THREAD, "given_up", None)
    return given_up is not None and given_up.is_set()


def pause_for(seconds: float, where: str | None = None) -> None:
    """Nothing, after that long.

    Raises:
        TransientError: The thread's work was given up, before or meanwhile.
    """
    given_up: threading.Event | None = getattr(_OF_THREAD, "given_up", None)
    if given_up is None:
        time.sleep(seconds)
    elif given_up.wait(seconds):
        raise TransientError("the work was given up", where=where, remedy="run the same command again")
