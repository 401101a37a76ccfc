"""The service's limits, read from the dated file beside this module."""

from __future__ import annotations

from importlib import resources

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the service allows.

    Attributes:
        source: Where the numbers come from, and when they were read.
        max_requests: Request lines a job.
        max_input_bytes: Bytes of an input file.
        max_nesting: Levels of keys in a line.
        max_fields: Different paths in a file.
        max_partial_failures: Entries of a job's ``partialFailures``.
        max_display_name_length: Characters of a job's display name.
        max_labels: Labels a job.
        max_label_length: Characters of a label's key or value.
        queue_limit_s: How long a job may wait before it expires.
        run_limit_s: How long a job may run before the rest of it is cancelled.
    """

    source: str
    max_requests: int
    max_input_bytes: int
    max_nesting: int
    max_fields: int
    max_partial_failures: int
    max_display_name_length: int
    max_labels: int
    max_label_length: int
    queue_limit_s: float
    run_limit_s: float


def _read() -> Limits:
    text = resources.files("geminate.emulator").joinpath("limits.json").read_bytes()
    return msgspec.json.decode(text, type=Limits)


LIMITS = _read()
