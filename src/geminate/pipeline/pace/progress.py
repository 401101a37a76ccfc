"""What the flow tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step has come.

    Attributes:
        step: The verb: ``build``, ``preflight``, ``submit``, ``wait``, ``collect``, ``join``.
        done: How many units are done.
        total: How many there are, None while unknown.
        unit: What is counted.
        note: A sentence for a person, empty most of the time.
        notice: A sentence that a person is to be shown even where no progress is.
    """

    step: str
    done: int
    total: int | None
    unit: str
    note: str = ""
    notice: str = ""


Notify = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Nothing."""
    del progress
