"""Seconds since the epoch to and from the service's spellings of time."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """A job's and a response's spelling: six digits and ``Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def processed_time(seconds: float) -> str:
    """A prediction line's spelling: three digits and ``+00:00``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def parse_rfc3339(text: str) -> float:
    """The instant that a text names.

    Raises:
        ValueError: It names none, or no time zone.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time needs a zone, such as Z")
    return instant.timestamp()
