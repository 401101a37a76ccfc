"""BigQuery through google-cloud-bigquery: loads that happen once, reads that notice a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import pyarrow as pa
import requests.exceptions
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.cloud import bigquery

from geminate.errors import AccessError, GeminateError, InputError, TargetError, TransientError
from geminate.ports import TableColumn, TableInfo
from geminate.wire.uris import BQ_SCHEME, split_bq_uri

# Reasons of a failed job after which another one may succeed, by the error table of the BigQuery documentation, read
# 2026-11-22. Some of them come with the status 403.
_PASSING = frozenset(
    [
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "stopped",
        "tableUnavailable",
        "timeout",
    ]
)
_MAX_LOADS = 3
_MIB, _MIN_BILLED_MIB = 1024 * 1024, 10
_TIMEOUT_S = 60.0
_QUEUED_PAGES = 2


class BigQueryTables:
    """A ``TableStore`` over BigQuery. Never appends, never replaces.

    Args:
        client: Google's own client; ``BIGQUERY_EMULATOR_HOST`` works through it.
        read_client: A client of the Storage Read API, None to read pages over REST.
    """

    def __init__(self, client: bigquery.Client, read_client: Any = None) -> None:
        self._client = client
        self._read_client = read_client

    def locate(self, dataset_uri: str) -> str:
        """The location of a dataset."""
        project, dataset = split_bq_uri(dataset_uri)[:2]
        with _errors_about(dataset_uri):
            return str(self._client.get_dataset(f"{project}.{dataset}", retry=_RETRY, timeout=_TIMEOUT_S).location)

    def stat(self, uri: str) -> TableInfo | None:
        """The table, None where there is none, or no dataset."""
        with _errors_about(uri):
            try:
                return _info(self._table(uri))
            except api.NotFound:
                return None

    def read(self, info: TableInfo, columns: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """The table's rows: several streams at once where the Storage Read API is there, else page by page.

        Memory is that of a few pages.
        """
        with _errors_about(info.uri):
            table = self._table(info.uri)
            if info.version not in {"", _info(table).version}:
                raise _changed(info.uri)
            wanted = {name.lower() for name in columns}
            fields = [field for field in table.schema if not wanted or field.name.lower() in wanted]
            yield from self._iter_rows(table, fields)
            if info.version and info.version != _info(self._table(info.uri)).version:
                raise _changed(info.uri)

    def load(
        self, uri: str, columns: Sequence[TableColumn], lines: Callable[[], Iterable[bytes]], load_id: str
    ) -> TableInfo:
        """The new table, by one load job whose id follows from ``load_id``.

        Where a job of that id is there already, its success counts. One that failed wrote nothing, and another is made:
        at once after a passing fault, else when this is called again. Into a table with rows none of them writes.
        """
        location = self.locate(uri)
        settings = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            schema=[bigquery.SchemaField(column.name, column.kind, column.mode) for column in columns],
            write_disposition=bigquery.WriteDisposition.WRITE_EMPTY,
        )
        number = made = 0
        while made < _MAX_LOADS:
            number += 1
            job_id = f"{load_id}-{number}"
            with _errors_about(uri):
                found = self._find_job(job_id, location)
                job = found or self._insert_load(uri, lines, job_id, settings, location)
                _await(job)
            if job.error_result is None:
                return self._loaded(uri, job)
            made += found is None
            if found is None and job.error_result.get("reason") not in _PASSING:
                raise _error(uri, job.error_result.get("reason", ""), 0, job.error_result.get("message", ""))
        raise TransientError(f"{_MAX_LOADS} load jobs met faults of BigQuery", where=uri, remedy="try again later")

    def query(self, sql: str, max_bytes_billed: int | None = None) -> TableInfo:
        """The rows of a query, in the table that BigQuery keeps them in for a day.

        Nothing is read before a dry run has told how many bytes that would be.
        """
        where = "the query"
        with _errors_about(where):
            dry = self._client.query(sql, bigquery.QueryJobConfig(dry_run=True), retry=_RETRY, job_retry=None)
            billed = _billed_bytes(int(dry.total_bytes_processed or 0))
            if max_bytes_billed is not None and billed > max_bytes_billed:
                raise InputError(
                    f"it would be billed for {billed:,} bytes, and {max_bytes_billed:,} are allowed",
                    where=where,
                    remedy=f"give --max-bytes-billed {billed}, or read fewer columns or partitions",
                )
            # Google's client makes the text "None" of a None.
            limit = {} if not max_bytes_billed else {"maximum_bytes_billed": max_bytes_billed}
            settings = bigquery.QueryJobConfig(**limit)
            job = self._client.query(sql, settings, retry=_RETRY, job_retry=None)
            job.result(retry=_RETRY, job_retry=None, max_results=0)
            # Nobody else writes to a query's own table, so its version tells nothing.
            return replace(_info(self._client.get_table(job.destination, retry=_RETRY, timeout=_TIMEOUT_S)), version="")

    def close(self) -> None:
        """Nothing; its connections are closed."""
        self._client.close()

    def _table(self, uri: str) -> bigquery.Table:
        return self._client.get_table(".".join(split_bq_uri(uri, (3,))), retry=_RETRY, timeout=_TIMEOUT_S)

    def _iter_rows(self, table: bigquery.Table, fields: list[Any]) -> Iterator[pa.RecordBatch]:
        if self._read_client is not None:
            rows = self._client.list_rows(table, selected_fields=fields, retry=_RETRY)
            batches = rows.to_arrow_iterable(bqstorage_client=self._read_client, max_queue_size=_QUEUED_PAGES)
            try:
                first = next(batches, None)
            except api.PermissionDenied:
                pass  # The API is not enabled, or not allowed; REST asks for less.
            else:
                if first is not None:
                    yield first
                yield from batches
                return
        # Without a storage client given, rows come over REST alone; Google's client dials no other host then.
        yield from self._client.list_rows(table, selected_fields=fields, retry=_RETRY).to_arrow_iterable()

    def _find_job(self, job_id: str, location: str) -> Any:
        try:
            return self._client.get_job(job_id, location=location, retry=_RETRY, timeout=_TIMEOUT_S)
        except api.NotFound:
            return None

    def _insert_load(
        self, uri: str, lines: Callable[[], Iterable[bytes]], job_id: str, settings: Any, location: str
    ) -> Any:
        target = uri.removeprefix(BQ_SCHEME)
        try:
            return self._client.load_table_from_file(
                _Pieces(lines()), target, job_id=job_id, job_config=settings, location=location, num_retries=3
            )
        except api.Conflict:
            job = self._find_job(job_id, location)
            if job is None:
                raise
            return job

    def _loaded(self, uri: str, job: Any) -> TableInfo:
        info = self.stat(uri)
        if info is None or info.rows != job.output_rows:
            raise TargetError(
                "the table was loaded, and is gone or has other rows now",
                where=uri,
                remedy="restore it, or name another where it is an output",
            )
        return info


def open_read_client(client: bigquery.Client) -> Any:
    """A client of the Storage Read API with the same credentials, None where none is installed."""
    try:
        from google.cloud.bigquery_storage import BigQueryReadClient
    except ImportError:
        return None
    return BigQueryReadClient(credentials=client._credentials)  # noqa: SLF001 - Google's client has no other name for them


def _billed_bytes(processed: int) -> int:
    """What a query that reads so much is billed for at least: whole MiB, and 10 of them.

    By the pricing page of BigQuery, read 2026-11-22; the least is for each table, so that several may be billed more.
    """
    return max(-(-processed // _MIB), _MIN_BILLED_MIB) * _MIB if processed else 0


class _Pieces:
    """Bytes of any portions as the file that an upload reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        # Google's client asks for 100 MiB at once, so that there should be no more copies than needed.
        parts, missing = [], size
        while missing and (piece := self._rest or next(self._pieces, b"")):
            parts.append(piece[:missing])
            self._rest = piece[missing:]
            missing -= len(parts[-1])
        self._at += size - missing
        return b"".join(parts)

    def tell(self) -> int:
        return self._at


def _await(job: Any) -> None:
    try:
        job.result(retry=_RETRY)
    except api.GoogleAPICallError:
        if job.error_result is None:
            raise  # The call failed, not the job.


def _info(table: bigquery.Table) -> TableInfo:
    return TableInfo(
        f"{BQ_SCHEME}{table.project}.{table.dataset_id}.{table.table_id}",
        table.location or "",
        tuple(TableColumn(field.name, field.field_type, field.mode) for field in table.schema),
        int(table.num_rows or 0),
        int(table.num_bytes or 0),
        f"{table.modified:%Y%m%dT%H%M%S.%f} {table.num_rows}",
    )


def _changed(uri: str) -> InputError:
    return InputError("the table changed while it was read", where=uri, remedy="run again once it is complete")


@contextmanager
def _errors_about(uri: str) -> Iterator[None]:
    try:
        yield
    except api.GoogleAPICallError as error:
        details = _details(error)
        message = str(details.get("message") or error.message)
        raise _error(uri, str(details.get("reason", "")), int(error.code or 0), message) from error
    except auth.DefaultCredentialsError as error:
        raise _error(uri, "accessDenied", 0, "") from error
    except (api.RetryError, auth.TransportError, requests.exceptions.RequestException) as error:
        raise TransientError("BigQuery did not answer", where=uri, remedy="try again") from error


def _is_passing(error: Any) -> bool:
    if isinstance(error, api.GoogleAPICallError):
        return _details(error).get("reason") in _PASSING or int(error.code or 0) in {429, 500, 502, 503, 504}
    return isinstance(error, auth.TransportError | requests.exceptions.ConnectionError | requests.exceptions.Timeout)


def _details(error: Any) -> dict[str, Any]:
    details = error.errors[0] if error.errors else {}
    return details if isinstance(details, dict) else {}


_RETRY = Retry(timeout=_TIMEOUT_S, predicate=_is_passing)


def _error(uri: str, reason: str, code: int, message: str) -> GeminateError:
    if reason in _PASSING or _is_passing_code(code):
        return TransientError(f"BigQuery answered {reason or code}", where=uri, remedy="try again")
    if reason == "quotaExceeded":
        return TransientError("a quota of BigQuery is used up", where=uri, remedy="try again when there is more of it")
    if reason == "accessDenied" or code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        remedy = "check the credentials, and the roles BigQuery Data Editor and Job User"
        return AccessError("BigQuery refuses access", where=uri, remedy=remedy)
    if reason == "duplicate" or code == HTTPStatus.CONFLICT:
        return TargetError("the table exists already, and has rows", where=uri, remedy="name another, or remove it")
    if reason == "notFound" or code == HTTPStatus.NOT_FOUND:
        return InputError("no such dataset or table", where=uri, remedy="check the name, and make the dataset first")
    return InputError(f"BigQuery refuses the request: {message.strip().rstrip('.')}", where=uri)


def _is_passing_code(code: int) -> bool:
    passing = code >= 500 or code in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
    return passing and code != HTTPStatus.NOT_IMPLEMENTED
