"""A table's rows over REST: each page from its bytes to Arrow, with nothing between but its cells' texts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from datetime import time
from typing import Any

import msgspec
import pyarrow as pa
import requests.exceptions
from google.api_core import exceptions as api
from google.cloud import bigquery

from geminate.adapters.bigquery import failures

_PAGE_BYTES = 4 * 1024 * 1024
"""About what a page holds. BigQuery would send 10 MB, whose texts take up to four times that before Arrow has them."""
_PIECE_BYTES = 1024 * 1024
_MICROSECONDS = pa.timestamp("us", "UTC")
# What a cell's text is, by its column's type; the types are those that the Storage Read API gives.
_TYPES: dict[str, pa.DataType] = {
    "BIGNUMERIC": pa.decimal256(76, 38),
    "BOOL": pa.bool_(),
    "BOOLEAN": pa.bool_(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "GEOGRAPHY": pa.string(),
    "INT64": pa.int64(),
    "INTEGER": pa.int64(),
    "JSON": pa.string(),
    "NUMERIC": pa.decimal128(38, 9),
    "STRING": pa.string(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": _MICROSECONDS,
}


class _Cell(msgspec.Struct):
    v: str | None = None


class _Row(msgspec.Struct):
    f: list[_Cell]


class _Page(msgspec.Struct, rename="camel"):
    rows: list[_Row] = []
    page_token: str | None = None


def is_flat(fields: Sequence[Any]) -> bool:
    """Whether every cell of these columns is a text."""
    return all(field.mode != "REPEATED" and field.field_type in _TYPES for field in fields)


def iter_pages(client: bigquery.Client, table: bigquery.Table, fields: Sequence[Any]) -> Iterator[pa.RecordBatch]:
    """The rows of these columns, which are flat, a record batch for each page; one that breaks off is asked for again.

    Google's own reading makes several objects of each cell, which takes several times the time and the memory.
    """
    http, connection = client._http, client._connection  # noqa: SLF001 - as Google's own reading reaches them
    url = f"{connection.get_api_base_url_for_mtls()}/bigquery/v2{table.path}/data"
    row_bytes = (table.num_bytes or 0) // max(table.num_rows or 0, 1) + 1
    query = {
        "selectedFields": ",".join(field.name for field in fields),
        "formatOptions.useInt64Timestamp": "true",
        "maxResults": str(_PAGE_BYTES // row_bytes + 1),
    }

    def fetch() -> _Page:
        # Left to itself, requests takes an answer by 10 KiB.
        with http.get(url, params=query, timeout=failures.TIMEOUT_S, stream=True) as answer:
            if not answer.ok:
                raise api.from_http_response(answer)
            data = b"".join(answer.iter_content(_PIECE_BYTES))
        try:
            return msgspec.json.decode(data, type=_Page)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise requests.exceptions.ContentDecodingError("a page of rows is damaged") from error

    while True:
        page = failures.RETRY(fetch)()
        record_batch, token = _record_batch(page.rows, fields), page.page_token
        del page  # Not beside the next one: its texts take several times the page's bytes.
        if record_batch.num_rows:
            yield record_batch
        if token is None:
            return
        query["pageToken"] = token


def _record_batch(rows: list[_Row], fields: Sequence[Any]) -> pa.RecordBatch:
    columns = [
        _convert(pa.array([row.f[place].v for row in rows], pa.string()), _TYPES[field.field_type])
        for place, field in enumerate(fields)
    ]
    return pa.RecordBatch.from_arrays(columns, names=[field.name for field in fields])


def _convert(texts: pa.StringArray, type_: pa.DataType) -> pa.Array:
    convert = _BY_HAND.get(type_)
    return convert(texts) if convert else texts.cast(type_)


def _by_value(read: Callable[[str], Any], type_: pa.DataType) -> Callable[[pa.StringArray], pa.Array]:
    return lambda texts: pa.array([None if text is None else read(text) for text in texts.to_pylist()], type_)


# What Arrow cannot make of a text by itself.
_BY_HAND: dict[pa.DataType, Callable[[pa.StringArray], pa.Array]] = {
    _MICROSECONDS: lambda texts: texts.cast(pa.int64()).cast(_MICROSECONDS),
    pa.binary(): _by_value(base64.b64decode, pa.binary()),
    pa.time64("us"): _by_value(time.fromisoformat, pa.time64("us")),
}
