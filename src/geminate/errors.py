"""Every error Geminate raises, as one tree.

Whose fault it is and whether trying again helps decide the branch; the branch decides the exit code::

    GeminateError                      1   something we did not foresee
    ├── UsageError                     2   the command or call contradicts itself
    ├── InputError                     5   prompts, spec, request lines or a target cannot be used as they are
    │   ├── SpecError                      the spec: where in it, which rule
    │   ├── PromptError                    the prompt set: which file, which row
    │   ├── TargetError                    where the output should go: it exists, or differs from the run
    │   └── TruncatedError                 a compressed file that ends early; what came before its end is good
    ├── AccessError                   77   no permission: a folder, a bucket, a project
    └── TransientError                75   try again: nothing is lost
        └── DamageError                    bytes that came damaged: read them again

A job that the service ended without doing it is no exception either: its state is in the jobs that a run gives back.
What befalls one row is never an exception: it is a column of the joined rows or a counted reject.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class GeminateError(Exception):
    """What stopped the work, where, and what to do about it.

    Args:
        what: What is wrong, as a clause without a full stop.
        where: The file, line, key or path it is about.
        remedy: What the reader should do, as a clause without a full stop.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """One sentence: where, what, and what to do."""
        start = f"{self.where}: " if self.where else ""
        end = f"; {self.remedy}" if self.remedy else ""
        return f"{start}{self.what}{end}"


class UsageError(GeminateError):
    """The options or arguments contradict each other or lack something."""

    exit_code = 2


class InputError(GeminateError):
    """Prompts, a spec, request lines or a target cannot be used as they are."""

    exit_code = 5


class SpecError(InputError):
    """The spec breaks a rule, or names what the prompts do not have."""


class PromptError(InputError):
    """The prompt set cannot be read, or its rows cannot be told apart."""


class TargetError(InputError):
    """The output exists already, or belongs to another run."""


class TruncatedError(InputError):
    """A compressed file is damaged or ends early; the lines that were handed out before are good."""


class AccessError(GeminateError):
    """The caller may not read or write there."""

    exit_code = 77


class TransientError(GeminateError):
    """A passing fault: the same command again goes on where this one stopped.

    Args:
        what: As for every error.
        where: The same.
        remedy: The same.
        retry_after_s: How long whoever is at fault asks to be left alone, in seconds; None where they do not say.
    """

    exit_code = 75

    def __init__(
        self, what: str, *, where: str | None = None, remedy: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.retry_after_s = retry_after_s


class DamageError(TransientError):
    """Bytes that were handed out are not what they should be; what was made of them is worth nothing."""


def counted(number: int, noun: str) -> str:
    """The number and the noun, which takes an s where it should."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


DISK_FAULTS = {
    errno.ENOSPC: "no room left on the disk",
    errno.EDQUOT: "no room left in the quota of the disk",
    errno.EIO: "the disk did not do as it was told",
}
"""What a disk says that may pass: the same work can be done again when there is room, or a disk that works."""


@contextmanager
def room_left(where: str, remedy: str = "make room and run again") -> Iterator[None]:
    """A block that writes.

    Raises:
        TransientError: The disk is full, or fails.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        raise TransientError(DISK_FAULTS[error.errno], where=where, remedy=remedy) from error
