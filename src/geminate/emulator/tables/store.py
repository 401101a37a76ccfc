"""Datasets, tables, rows and finished jobs in one DuckDB file."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from geminate.emulator.tables.errors import BigQueryError, not_found
from geminate.emulator.tables.schema import Field

# A dataset without a location of its own lies in this multi-region, as with the service.
DEFAULT_LOCATION = "US"
_INSERTED_ROWS = 1000
_CATALOG = """
CREATE TABLE IF NOT EXISTS datasets (project VARCHAR, dataset VARCHAR, document VARCHAR);
CREATE TABLE IF NOT EXISTS tables (project VARCHAR, dataset VARCHAR, name VARCHAR, document VARCHAR);
CREATE TABLE IF NOT EXISTS jobs (project VARCHAR, name VARCHAR, document VARCHAR);
CREATE SEQUENCE IF NOT EXISTS numbers;
"""


class Dataset(msgspec.Struct):
    """A dataset; its location never changes."""

    project: str
    name: str
    location: str
    created_ms: int
    labels: dict[str, str] = {}


class Table(msgspec.Struct):
    """A table.

    Attributes:
        number: Its rows lie in ``rows_NUMBER``.
    """

    project: str
    dataset: str
    name: str
    fields: list[Field]
    number: int
    created_ms: int
    modified_ms: int
    rows: int = 0
    size_bytes: int = 0
    description: str | None = None
    labels: dict[str, str] = {}

    @property
    def id(self) -> str:
        """What error messages call it."""
        return f"{self.project}:{self.dataset}.{self.name}"


@dataclass(slots=True)
class NewRows:
    """Rows on their way into a table.

    Attributes:
        cells: Each row's cells, as ``encode_row`` gives them.
        size_bytes: How many bytes of text were taken so far.
    """

    cells: Iterable[list[str | None]]
    size_bytes: int = field(default=0)


class TableStore:
    """Everything of one emulator; safe to use from several threads, which take turns.

    Args:
        path: The DuckDB file; it is made.
        new_dataset_location: Where a dataset that is not there is made on first use; None to have it missing.
    """

    def __init__(self, path: Path, new_dataset_location: str | None = None) -> None:
        import duckdb

        self._db = duckdb.connect(str(path))
        self._db.execute(_CATALOG)
        self._lock = threading.RLock()
        self._new_dataset_location = new_dataset_location

    def close(self) -> None:
        """Nothing; the file is free."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A block whose changes are made together, or not at all; no other thread changes anything meanwhile."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def exclusive(self) -> AbstractContextManager[Any]:
        """A context in which no other thread reads or changes anything."""
        return self._lock

    def datasets(self, project: str) -> list[Dataset]:
        """The project's datasets, by name."""
        rows = self._fetch("SELECT document FROM datasets WHERE project = ? ORDER BY dataset", project)
        return [msgspec.json.decode(document, type=Dataset) for (document,) in rows]

    def dataset(self, project: str, name: str) -> Dataset:
        """The dataset.

        Raises:
            BigQueryError: There is none.
        """
        with self._lock:
            found = self._fetch("SELECT document FROM datasets WHERE project = ? AND dataset = ?", project, name)
            if found:
                return msgspec.json.decode(found[0][0], type=Dataset)
            if self._new_dataset_location is None:
                raise not_found("Dataset", f"{project}:{name}")
            return self.add_dataset(Dataset(project, name, self._new_dataset_location, now_ms()))

    def add_dataset(self, dataset: Dataset) -> Dataset:
        """The new dataset.

        Raises:
            BigQueryError: There is one of that name.
        """
        with self._lock:
            if any(each.name == dataset.name for each in self.datasets(dataset.project)):
                raise BigQueryError("duplicate", f"Already Exists: Dataset {dataset.project}:{dataset.name}")
            self._insert("datasets", dataset.project, dataset.name, _encode(dataset))
        return dataset

    def delete_dataset(self, project: str, name: str, *, with_tables: bool) -> None:
        """Nothing; the dataset is gone.

        Raises:
            BigQueryError: There is none, or it has tables that may not go with it.
        """
        with self.transaction():
            self.dataset(project, name)
            tables = self.tables(project, name)
            if tables and not with_tables:
                raise BigQueryError("resourceInUse", f"Dataset {project}:{name} is still in use")
            for table in tables:
                self.drop(table)
            self._db.execute("DELETE FROM datasets WHERE project = ? AND dataset = ?", [project, name])

    def tables(self, project: str, dataset: str) -> list[Table]:
        """The dataset's tables, by name."""
        rows = self._fetch(
            "SELECT document FROM tables WHERE project = ? AND dataset = ? ORDER BY name", project, dataset
        )
        return [msgspec.json.decode(document, type=Table) for (document,) in rows]

    def find_table(self, project: str, dataset: str, name: str) -> Table | None:
        """The table, None where there is none."""
        found = self._fetch(
            "SELECT document FROM tables WHERE project = ? AND dataset = ? AND name = ?", project, dataset, name
        )
        return msgspec.json.decode(found[0][0], type=Table) if found else None

    def table(self, project: str, dataset: str, name: str) -> Table:
        """The table.

        Raises:
            BigQueryError: It is not there, or its dataset is not.
        """
        self.dataset(project, dataset)
        table = self.find_table(project, dataset, name)
        if table is None:
            raise not_found("Table", f"{project}:{dataset}.{name}")
        return table

    def add_table(self, project: str, dataset: str, name: str, fields: list[Field]) -> Table:
        """The new, empty table.

        Raises:
            BigQueryError: There is one of that name, or no dataset.
        """
        with self._lock:
            self.dataset(project, dataset)
            if self.find_table(project, dataset, name):
                raise BigQueryError("duplicate", f"Already Exists: Table {project}:{dataset}.{name}")
            number = int(self._fetch("SELECT nextval('numbers')")[0][0])
            table = Table(project, dataset, name, fields, number, now_ms(), now_ms())
            columns = ", ".join(f"c{position} VARCHAR" for position in range(len(fields))) or "none VARCHAR"
            self._db.execute(f"CREATE TABLE rows_{number} ({columns})")
            self._insert("tables", project, dataset, name, _encode(table))
        return table

    def delete_table(self, table: Table) -> None:
        """Nothing; the table and its rows are gone."""
        with self.transaction():
            self.drop(table)

    def append(self, table: Table, rows: NewRows) -> Table:
        """The table with the rows behind its own; to be called in a transaction."""
        schema = pa.schema([(f"c{position}", pa.string()) for position in range(len(table.fields))])
        cells, count = iter(rows.cells), 0
        while block := list(islice(cells, _INSERTED_ROWS)):
            columns = [pa.array(column, pa.string()) for column in zip(*block, strict=True)]
            self._db.register("incoming", pa.table(columns, schema=schema))
            self._db.execute(f"INSERT INTO rows_{table.number} SELECT * FROM incoming")
            self._db.unregister("incoming")
            count += len(block)
        table = msgspec.structs.replace(
            table, rows=table.rows + count, size_bytes=table.size_bytes + rows.size_bytes, modified_ms=now_ms()
        )
        self._db.execute(
            "UPDATE tables SET document = ? WHERE project = ? AND dataset = ? AND name = ?",
            [_encode(table), table.project, table.dataset, table.name],
        )
        return table

    def read(self, table: Table, columns: list[int], start: int, limit: int) -> list[tuple[str | None, ...]]:
        """Some columns of some rows, in the order in which they came."""
        names = ", ".join(f"c{position}" for position in columns) or "NULL"
        # Rows only ever come, so that their ids count from 0; asked for an offset, DuckDB would read all before it.
        sql = f"SELECT {names} FROM rows_{table.number} WHERE rowid >= ? AND rowid < ? ORDER BY rowid"
        return self._fetch(sql, start, start + limit)

    def find_job(self, project: str, name: str) -> dict[str, Any] | None:
        """The job's document, None where there is none."""
        found = self._fetch("SELECT document FROM jobs WHERE project = ? AND name = ?", project, name)
        return msgspec.json.decode(found[0][0]) if found else None

    def jobs(self, project: str) -> list[dict[str, Any]]:
        """The project's jobs, newest first."""
        rows = self._fetch("SELECT document FROM jobs WHERE project = ? ORDER BY rowid DESC", project)
        return [msgspec.json.decode(document) for (document,) in rows]

    def add_job(self, project: str, name: str, document: dict[str, Any]) -> None:
        """Nothing; the job is kept."""
        with self._lock:
            self._insert("jobs", project, name, _encode(document))

    def drop(self, table: Table) -> None:
        """Nothing; the table and its rows are gone; to be called in a transaction."""
        self._db.execute(f"DROP TABLE rows_{table.number}")
        self._db.execute(
            "DELETE FROM tables WHERE project = ? AND dataset = ? AND name = ?",
            [table.project, table.dataset, table.name],
        )

    def _fetch(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            rows: list[Any] = self._db.execute(sql, list(values)).fetchall()
            return rows

    def _insert(self, table: str, *values: str) -> None:
        self._db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", list(values))


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()
