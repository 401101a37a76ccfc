"""What the flow needs from outside, each as narrow as its use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a store.

    Attributes:
        uri: ``gs://bucket/name``.
        size: Its length in bytes.
        generation: The version that was looked at; reading can be pinned to it.
        crc32c: The Castagnoli checksum of its bytes, None where the store keeps none.
    """

    uri: str
    size: int
    generation: int
    crc32c: int | None = None


class ObjectStore(Protocol):
    """Immutable objects named by ``gs://`` URIs.

    Raises:
        AccessError: The caller may not read or write there.
        InputError: The bucket or object does not exist, or the URI is not one.
        TransientError: The store did not answer; the call may be made again.
    """

    def write(self, uri: str, pieces: Iterable[bytes], content_type: str | None = None) -> ObjectInfo:
        """The new object. It becomes visible whole or not at all; an existing object is a ``TargetError``.

        Args:
            uri: Its name.
            pieces: Its bytes.
            content_type: What it is called when it is read over HTTP, where the store keeps that.
        """
        ...

    def read(self, info: ObjectInfo, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The object's bytes from ``start`` to ``stop`` (None for its end) in pieces, of the generation in ``info``."""
        ...

    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        """The objects whose URI begins so, in the order of their names."""
        ...

    def stat(self, uri: str) -> ObjectInfo | None:
        """The object, None where there is none."""
        ...

    def delete(self, info: ObjectInfo) -> None:
        """Nothing. Only this generation is removed; one already gone is fine."""
        ...


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table.

    Attributes:
        name: Its name.
        kind: Its type in BigQuery's words, such as ``STRING`` or ``JSON``.
        mode: ``NULLABLE``, ``REQUIRED`` or ``REPEATED``.
    """

    name: str
    kind: str
    mode: str = "NULLABLE"


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table of a store.

    Attributes:
        uri: ``bq://project.dataset.table``.
        location: Where its dataset lies.
        columns: Its columns.
        rows: How many rows it has.
        size_bytes: Their length.
        version: A text that changes whenever the table does; empty where nobody else can change it.
    """

    uri: str
    location: str
    columns: tuple[TableColumn, ...]
    rows: int
    size_bytes: int
    version: str


class TableStore(Protocol):
    """Tables named by ``bq://`` URIs.

    Raises:
        AccessError: The caller may not read or write there.
        InputError: The dataset or table does not exist, or the URI is not one.
        TransientError: The store did not answer; the call may be made again.
    """

    def locate(self, dataset_uri: str) -> str:
        """The location of a dataset."""
        ...

    def stat(self, uri: str) -> TableInfo | None:
        """The table, None where there is none."""
        ...

    def read(self, info: TableInfo, columns: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """The table's rows in no particular order; only some columns, where they are named.

        A table that has changed since ``info`` was taken is an ``InputError``, at the latest after its last row.
        """
        ...

    def load(
        self, uri: str, columns: Sequence[TableColumn], lines: Callable[[], Iterable[bytes]], load_id: str
    ) -> TableInfo:
        """The new table of these lines of JSON, whole or not at all; one with rows is a ``TargetError``.

        Loading again with the same ``load_id`` loads nothing twice; after a load that failed it loads anew.
        """
        ...

    def query(self, sql: str, max_bytes_billed: int | None = None) -> TableInfo:
        """The rows of a query as a table that lives for a day; one that reads more bytes is an ``InputError``."""
        ...


class JobService(Protocol):
    """Batch prediction jobs, as the service's own JSON.

    Raises:
        AccessError: 401 or 403.
        InputError: The service refuses the request (other 4xx).
        TransientError: The service did not answer or asks to try again (408, 429, 5xx, a broken connection).
    """

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The created job. Sent once and never repeated: each POST may be a paid job."""
        ...

    def get(self, job_name: str) -> dict[str, Any] | None:
        """The job as it is now, None where the service knows none of that name."""
        ...

    def list(self, filter_text: str) -> Iterator[dict[str, Any]]:
        """The jobs that match, newest first."""
        ...

    def cancel(self, job_name: str) -> None:
        """Nothing; the service ends the job in its own time. A finished job is an ``InputError``."""
        ...


class Clock(Protocol):
    """Time and chance, so that the flow can be tested without either."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Nothing, after that long."""
        ...

    def random(self) -> float:
        """A number from 0 up to 1."""
        ...
