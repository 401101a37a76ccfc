"""Times as the service writes them: ISO 8601 with 0 to 6 digits of fraction and a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pyarrow as pa
import pyarrow.compute as pc

MAX_RETRY_AFTER_S = 3600.0
"""The longest pause that a service can ask for at once."""

TIME_TYPE = pa.timestamp("us", "UTC")


def decode_times(texts: pa.StringArray) -> pa.TimestampArray:
    """The times as UTC; null where a text is no time.

    One without a zone is taken as UTC, and digits of fraction beyond the sixth are cut.
    """
    try:
        return pc.cast(texts, TIME_TYPE)
    except pa.ArrowInvalid:
        return pa.array([_decode_time(text) for text in texts.to_pylist()], TIME_TYPE)


def decode_retry_after(text: str, answered: str) -> float | None:
    """How many seconds a ``Retry-After`` header asks for; None where it says nothing (RFC 9110, 10.2.3).

    Never below 0 and never more than an hour, after which whoever was asked to wait may ask again.

    Args:
        text: The header: seconds, or an HTTP date.
        answered: The answer's own ``Date``, from which a date is counted.
    """
    if text.strip().isdecimal():
        asked_s = float(text)
    else:
        try:
            asked_s = (parsedate_to_datetime(text) - parsedate_to_datetime(answered)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, asked_s), MAX_RETRY_AFTER_S)


def _decode_time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
