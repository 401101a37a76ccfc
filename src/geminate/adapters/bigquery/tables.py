"""Tables of BigQuery, by the calls that the flow needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from google.api_core import exceptions as api
from google.cloud import bigquery

from geminate.adapters.bigquery import failures
from geminate.adapters.bigquery.failures import PASSING, TIMEOUT_S, errors_about, refusal
from geminate.adapters.bigquery.loads import LoadJob, await_job, find_job, make_load
from geminate.adapters.bigquery.pages import is_flat, iter_pages
from geminate.errors import InputError, TargetError, TransientError
from geminate.ports import TableColumn, TableInfo
from geminate.wire.uris import BQ_SCHEME, split_bq_uri

_MAX_LOADS = 3
_MIB, _MIN_BILLED_MIB = 1024 * 1024, 10
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
        with errors_about(dataset_uri):
            found = self._client.get_dataset(f"{project}.{dataset}", retry=failures.RETRY, timeout=TIMEOUT_S)
            return str(found.location)

    def stat(self, uri: str) -> TableInfo | None:
        """The table, None where there is none, or no dataset."""
        with errors_about(uri):
            try:
                return _info(self._table(uri))
            except api.NotFound:
                return None

    def read(self, info: TableInfo, columns: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """The table's rows: several streams at once where the Storage Read API is there, else page by page.

        Memory is that of a few pages.
        """
        with errors_about(info.uri):
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
            with errors_about(uri):
                load = LoadJob(uri, f"{load_id}-{number}", self._client.project, location, settings)
                found = find_job(self._client, load)
                job = found or make_load(self._client, load, lines)
                await_job(job)
            if job.error_result is None:
                return self._loaded(uri, job)
            made += found is None
            if found is None and job.error_result.get("reason") not in PASSING:
                raise refusal(uri, job.error_result.get("reason", ""), message=job.error_result.get("message", ""))
        raise TransientError(f"{_MAX_LOADS} load jobs met faults of BigQuery", where=uri, remedy="try again later")

    def query(self, sql: str, max_bytes_billed: int | None = None) -> TableInfo:
        """The rows of a query, in the table that BigQuery keeps them in for a day.

        Nothing is read before a dry run has told how many bytes that would be.
        """
        where = "the query"
        with errors_about(where):
            dry = self._begin_query(sql, bigquery.QueryJobConfig(dry_run=True))
            billed = _billed_bytes(int(dry.total_bytes_processed or 0))
            if max_bytes_billed is not None and billed > max_bytes_billed:
                raise InputError(
                    f"it would be billed for {billed:,} bytes, and {max_bytes_billed:,} are allowed",
                    where=where,
                    remedy=f"give --max-bytes-billed {billed}, or read fewer columns or partitions",
                )
            # Google's client makes the text "None" of a None.
            limit = {} if not max_bytes_billed else {"maximum_bytes_billed": max_bytes_billed}
            job = self._begin_query(sql, bigquery.QueryJobConfig(**limit))
            job.result(retry=failures.RETRY, job_retry=None, max_results=0)
            table = self._client.get_table(job.destination, retry=failures.RETRY, timeout=TIMEOUT_S)
            # Nobody else writes to a query's own table, so its version tells nothing.
            return replace(_info(table), version="")

    def _begin_query(self, sql: str, settings: bigquery.QueryJobConfig) -> Any:
        return self._client.query(sql, settings, retry=failures.RETRY, timeout=TIMEOUT_S, job_retry=None)

    def close(self) -> None:
        """Nothing; its connections are closed."""
        self._client.close()

    def _table(self, uri: str) -> bigquery.Table:
        name = ".".join(split_bq_uri(uri, (3,)))
        return self._client.get_table(name, retry=failures.RETRY, timeout=TIMEOUT_S)

    def _iter_rows(self, table: bigquery.Table, fields: list[Any]) -> Iterator[pa.RecordBatch]:
        if self._read_client is not None:
            rows = self._list_rows(table, fields)
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
        if is_flat(fields):
            yield from iter_pages(self._client, table, fields)
            return
        # Without a storage client given, rows come over REST alone; Google's client dials no other host then.
        yield from self._list_rows(table, fields).to_arrow_iterable()

    def _list_rows(self, table: bigquery.Table, fields: list[Any]) -> Any:
        return self._client.list_rows(table, selected_fields=fields, retry=failures.RETRY, timeout=TIMEOUT_S)

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
