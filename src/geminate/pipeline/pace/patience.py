"""Patience: pauses with full jitter, and calls that are safe to repeat, repeated a few times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from geminate.errors import TransientError
from geminate.ports import Clock

DOUBT_GRACE_S = 120.0
"""How long a new job may stay out of sight; an assumption that only the real service can prove."""

_TRIES = 5
_FIRST_CEILING_S = 1.0

Answer = TypeVar("Answer")


def pause(clock: Clock, ceiling_s: float, error: TransientError | None = None) -> None:
    """Nothing, after a random time up to the ceiling; and after what the error asks for, if it asks."""
    asked_s = error.retry_after_s if error is not None else None
    clock.sleep((asked_s or 0.0) + clock.random() * ceiling_s)


def call_patiently(call: Callable[[], Answer], clock: Clock) -> Answer:
    """What the call gives, made up to five times. Never to be used for a call that is not safe to repeat.

    Raises:
        TransientError: The last try failed, too.
    """
    for tries in range(1, _TRIES):
        try:
            return call()
        except TransientError as error:
            pause(clock, _FIRST_CEILING_S * 2 ** (tries - 1), error)
    return call()
