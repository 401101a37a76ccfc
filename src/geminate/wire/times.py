"""Times as the service writes them: ISO 8601 with 0 to 6 digits of fraction and a zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

TIME_TYPE = pa.timestamp("us", "UTC")


def decode_times(texts: pa.StringArray) -> pa.TimestampArray:
    """The times as UTC; null where a text is no time.

    One without a zone is taken as UTC, and digits of fraction beyond the sixth are cut.
    """
    try:
        return pc.cast(texts, TIME_TYPE)
    except pa.ArrowInvalid:
        return pa.array([_decode_time(text) for text in texts.to_pylist()], TIME_TYPE)


def _decode_time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
