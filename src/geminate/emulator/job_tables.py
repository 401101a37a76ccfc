"""The tables that jobs read and write, through Google's own client, whoever serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import msgspec

from geminate.emulator.statuses import Status

# What a request table may not hold, and the columns that only the service writes: the page on BigQuery input of batch
# prediction for Gemini, read 2026-11-22.
_REFUSED = frozenset({"RECORD", "STRUCT", "RANGE", "DATETIME", "GEOGRAPHY"})
_RESERVED = frozenset({"response", "status"})
_MULTI_REGIONS = frozenset({"US", "EU"})
_RESULTS = (("response", "JSON"), ("status", "STRING"), ("processed_time", "TIMESTAMP"))
_KINDS = {str: "STRING", int: "INTEGER", float: "FLOAT", bool: "BOOLEAN", type(None): None}
_PATIENCE_S = 20.0
_INVALID, _FAILED_PRECONDITION = 3, 9


class TableError(Exception):
    """A table that a job cannot read or write.

    Args:
        message: Why.
        code: The gRPC code of the job's error.
    """

    def __init__(self, message: str, code: int = _INVALID) -> None:
        super().__init__(message)
        self.status = Status(code, message)


class Place(NamedTuple):
    """A table or dataset, and where the job runs that uses it."""

    uri: str
    location: str

    @property
    def parts(self) -> list[str]:
        """Project, dataset and, if there, table."""
        return self.uri.removeprefix("bq://").split(".")


class JobTables:
    """Reaches the tables.

    Args:
        endpoint: Tells the base URL of their server.
    """

    def __init__(self, endpoint: Callable[[], str]) -> None:
        self._endpoint = endpoint

    def check_dataset(self, place: Place) -> None:
        """Nothing, where a job in that location may use the dataset.

        Raises:
            TableError: It may not.
        """
        with self._client(place) as client:
            dataset = ".".join(place.parts[:2])
            location = client.get_dataset(dataset, retry=_patience()).location
            if location in _MULTI_REGIONS or location.lower() != place.location.lower():
                message = (
                    f"The BigQuery dataset {dataset} is in {location}, and the job in {place.location}. It must be in "
                    "the job's region; multi-regional datasets are not supported."
                )
                raise TableError(message, _FAILED_PRECONDITION)

    def iter_fetched(self, place: Place, path: Path, columns: dict[str, str]) -> Iterator[int]:
        """The number of rows so far; at the end the file has them as lines of JSON, and ``columns`` their types.

        Raises:
            TableError: The table is not there, or no request table.
        """
        with self._client(place) as client, path.open("wb") as file:
            table = client.get_table(".".join(place.parts), retry=_patience())
            former = {field.name.lower() for field in table.schema} >= _RESERVED
            columns |= {field.name: _checked_kind(field, place.uri, former=former) for field in table.schema}
            if columns.get("request") not in {"JSON", "STRING"}:
                raise TableError(f"The table {place.uri} needs a column request of type JSON or STRING.")
            for count, row in enumerate(client.list_rows(table, retry=_patience()), 1):
                file.write(msgspec.json.encode(dict(row.items())) + b"\n")
                yield count

    def load(self, place: Place, path: Path, columns: dict[str, str], job_id: str) -> None:
        """Nothing; the new table holds the file's lines.

        Raises:
            TableError: It exists, or cannot be written.
        """
        from google.api_core.exceptions import Conflict
        from google.cloud import bigquery

        settings = bigquery.LoadJobConfig(
            source_format="NEWLINE_DELIMITED_JSON",
            write_disposition="WRITE_EMPTY",
            schema=[bigquery.SchemaField(name, kind) for name, kind in columns.items()],
        )
        with self._client(place) as client, path.open("rb") as file:
            try:
                job = client.load_table_from_file(
                    file, ".".join(place.parts), job_id=job_id, job_config=settings, location=place.location
                )
            except Conflict:  # It was loaded before the emulator was killed.
                job = client.get_job(job_id, location=place.location, retry=_patience())
            job.result(retry=_patience())

    def exists(self, place: Place) -> bool:
        """Whether the table is there.

        Raises:
            TableError: Nobody can tell.
        """
        from google.api_core.exceptions import NotFound

        with self._client(place) as client:
            try:
                client.get_table(".".join(place.parts), retry=_patience())
            except NotFound:
                return False
            return True

    @contextmanager
    def _client(self, place: Place) -> Iterator[Any]:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        options = {"api_endpoint": self._endpoint()}
        client = bigquery.Client(place.parts[0], credentials=AnonymousCredentials(), client_options=options)
        with closing(client):
            try:
                yield client
            except GoogleAPICallError as error:
                raise TableError(f"BigQuery: {error.message}") from error


class TableOutput:
    """A job's lines on their way into its output table; the same steps as for files.

    Args:
        tables: Writes the table.
        place: The table.
        path: Where the lines lie meanwhile.
        columns: The types of the input's columns; empty to tell them from the lines.
        job_id: Names the load job.
    """

    def __init__(self, tables: JobTables, place: Place, path: Path, columns: dict[str, str], job_id: str) -> None:
        self._tables = tables
        self._place = place
        self._path = path
        self._columns: dict[str, str | None] = dict(columns)
        self._infers = not columns
        self._load_id = f"batch_prediction_{job_id}"
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
        self._path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Nothing: a table appears whole or not at all."""

    def write(self, lines: list[bytes]) -> None:
        """Nothing; the lines follow the earlier ones."""
        if self._infers:
            for line in lines:
                self._observe(msgspec.json.decode(line))
        if self._file:
            self._file.writelines(line + b"\n" for line in lines)

    def publish(self) -> None:
        """Nothing; the table is there.

        Raises:
            TableError: It cannot be written.
        """
        if self._file:
            self._file.flush()
        columns = {name: kind or "STRING" for name, kind in self._columns.items()}
        self._tables.load(self._place, self._path, columns | dict(_RESULTS), self._load_id)

    def _observe(self, row: dict[str, Any]) -> None:
        for name, value in row.items():
            before, kind = self._columns.get(name), _KINDS.get(type(value), "JSON")
            mixed = None not in {before, kind} and before != kind
            self._columns[name] = "JSON" if mixed else kind or before


def _patience() -> Any:
    """For how long a server that cannot answer is asked again; a job that waits longer fails."""
    from google.api_core.retry import Retry

    return Retry(initial=0.05, maximum=1.0, timeout=_PATIENCE_S)


def _checked_kind(field: Any, uri: str, *, former: bool) -> str:
    """The type of a column; the output of a former job has the columns that only the service writes."""
    if field.name.lower() in _RESERVED and not former:
        raise TableError(f"The table {uri} has a column {field.name}, a name that is reserved for the output.")
    if field.mode == "REPEATED" or field.field_type in _REFUSED:
        kind = "ARRAY" if field.mode == "REPEATED" else field.field_type
        raise TableError(f"The table {uri} has a column {field.name} of type {kind}, which is not supported.")
    return str(field.field_type)
