"""BigQuery's REST API, as far as tables, load jobs and plain reads need it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from geminate.emulator.exchange import HttpReply, HttpRequest
from geminate.emulator.tables import documents, rows
from geminate.emulator.tables.errors import BigQueryError, not_emulated
from geminate.emulator.tables.jobs import Jobs
from geminate.emulator.tables.schema import read_schema
from geminate.emulator.tables.store import DEFAULT_LOCATION, Dataset, TableStore, now_ms
from geminate.emulator.tables.uploads import Uploads

_NO_DUCKDB = "This emulator has no tables: DuckDB is not installed. Run pip install 'geminate[emulator]'."
_PROJECT = r"/bigquery/v2/projects/(?P<project>[^/]+)"
_DATASET = rf"{_PROJECT}/datasets/(?P<dataset>[^/]+)"
_TABLE = rf"{_DATASET}/tables/(?P<table>[^/]+)"
_DATASET_NAME = re.compile(r"\w{1,1024}", re.ASCII)
_TABLE_NAME = re.compile(r"[\w-]{1,1024}")

Call = Callable[[HttpRequest, dict[str, str]], dict[str, Any]]


class TableApi:
    """Answers BigQuery's calls. DuckDB is loaded with the first of them.

    Args:
        folder: Where the tables are kept.
        new_dataset_location: Where a dataset that is not there is made on first use; None to have it missing.
    """

    def __init__(self, folder: Path, new_dataset_location: str | None = None) -> None:
        self._path = folder / "tables.duckdb"
        self._new_dataset_location = new_dataset_location
        self._opened: TableStore | None = None
        self._opening = threading.Lock()
        self._uploads = Uploads()
        self._inserted = rows.RecentInserts()
        self._routes: list[tuple[str, re.Pattern[str], Call]] = [
            (method, re.compile(pattern), call)
            for method, pattern, call in (
                ("POST", rf"{_PROJECT}/datasets", self._insert_dataset),
                ("GET", rf"{_PROJECT}/datasets", self._list_datasets),
                ("GET", _DATASET, self._get_dataset),
                ("DELETE", _DATASET, self._delete_dataset),
                ("POST", rf"{_DATASET}/tables", self._insert_table),
                ("GET", rf"{_DATASET}/tables", self._list_tables),
                ("GET", _TABLE, self._get_table),
                ("DELETE", _TABLE, self._delete_table),
                ("GET", rf"{_TABLE}/data", self._list_rows),
                ("POST", rf"{_TABLE}/insertAll", self._insert_rows),
                ("POST", rf"{_PROJECT}/jobs", self._insert_job),
                ("GET", rf"{_PROJECT}/jobs", self._list_jobs),
                ("GET", rf"{_PROJECT}/jobs/(?P<job>[^/]+)", self._get_job),
                ("POST", rf"{_PROJECT}/queries", self._query),
                ("GET", rf"{_PROJECT}/queries/(?P<job>[^/]+)", self._get_results),
            )
        ]

    def close(self) -> None:
        """Nothing; the file of the tables is free, and unfinished uploads are forgotten."""
        self._uploads.close()
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def answer(self, request: HttpRequest) -> HttpReply:
        """The answer to a request, be it an error."""
        try:
            if "/upload/" in request.path:
                return self._uploads.answer(request, partial(self._take_media, request))
            call, parts = self._match(request)
            return HttpReply.of_json(call(request, parts))
        except BigQueryError as error:
            return HttpReply.of_json(error.document(), error.code)
        except msgspec.MsgspecError as error:
            refused = BigQueryError("invalid", f"Invalid JSON payload received. {error}")
            return HttpReply.of_json(refused.document(), refused.code)
        except Exception as error:  # noqa: BLE001 - a client should hear of it, and not only see its connection end
            broken = BigQueryError("internalError", f"The emulator failed: {type(error).__name__}: {error}")
            return HttpReply.of_json(broken.document(), broken.code)

    def _match(self, request: HttpRequest) -> tuple[Call, dict[str, str]]:
        for method, pattern, call in self._routes:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                return call, {name: unquote(value) for name, value in found.groupdict().items()}
        raise not_emulated(f"it has no {request.method} {request.path}")

    @property
    def _store(self) -> TableStore:
        with self._opening:
            if self._opened is None:
                if find_spec("duckdb") is None:
                    raise BigQueryError("notImplemented", _NO_DUCKDB)
                self._opened = TableStore(self._path, self._new_dataset_location)
            return self._opened

    def _take_media(self, request: HttpRequest, description: Any, file: Any) -> dict[str, Any]:
        found = re.search(r"/projects/([^/]+)/jobs$", request.path)
        if found is None:
            raise not_emulated(f"it has no uploads to {request.path}")
        return Jobs(self._store).insert(unquote(found[1]), description, file)

    def _insert_dataset(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        document = request.read_json()
        name = (document.get("datasetReference") or {}).get("datasetId", "")
        if not _DATASET_NAME.fullmatch(name):
            raise BigQueryError("invalid", f'Invalid dataset ID "{name}".')
        location = document.get("location") or DEFAULT_LOCATION
        dataset = Dataset(parts["project"], name, location, now_ms(), document.get("labels") or {})
        return documents.of_dataset(self._store.add_dataset(dataset))

    def _list_datasets(self, _: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        found = [documents.of_dataset(dataset) for dataset in self._store.datasets(parts["project"])]
        return {"kind": "bigquery#datasetList", "datasets": found}

    def _get_dataset(self, _: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        return documents.of_dataset(self._store.dataset(parts["project"], parts["dataset"]))

    def _delete_dataset(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        with_tables = request.query.get("deleteContents") == "true"
        self._store.delete_dataset(parts["project"], parts["dataset"], with_tables=with_tables)
        return {}

    def _insert_table(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        document = request.read_json()
        name = (document.get("tableReference") or {}).get("tableId", "")
        if not _TABLE_NAME.fullmatch(name):
            raise BigQueryError("invalid", f'Invalid table ID "{name}".')
        fields = read_schema(document.get("schema"))
        table = self._store.add_table(parts["project"], parts["dataset"], name, fields)
        return documents.of_table(table, self._location(parts))

    def _list_tables(self, _: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        location = self._location(parts)
        tables = self._store.tables(parts["project"], parts["dataset"])
        found = [documents.of_table(table, location) for table in tables]
        return {"kind": "bigquery#tableList", "tables": found, "totalItems": len(found)}

    def _get_table(self, _: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        table = self._store.table(parts["project"], parts["dataset"], parts["table"])
        return documents.of_table(table, self._location(parts))

    def _delete_table(self, _: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        self._store.delete_table(self._store.table(parts["project"], parts["dataset"], parts["table"]))
        return {}

    def _list_rows(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        table = self._store.table(parts["project"], parts["dataset"], parts["table"])
        return rows.read_page(self._store, table, request.query)

    def _insert_rows(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        with self._store.transaction():
            table = self._store.table(parts["project"], parts["dataset"], parts["table"])
            return rows.insert_all(self._store, table, request.read_json(), self._inserted)

    def _insert_job(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        return Jobs(self._store).insert(parts["project"], request.read_json())

    def _list_jobs(self, _: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        return {"kind": "bigquery#jobList", "jobs": self._store.jobs(parts["project"])}

    def _get_job(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        return Jobs(self._store).get(parts["project"], parts["job"], request.query.get("location"))

    def _query(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        document = request.read_json()
        settings = {name: document[name] for name in ("query", "maximumBytesBilled") if name in document}
        job = Jobs(self._store).insert(
            parts["project"],
            {
                "jobReference": {"location": document.get("location", "")},
                "configuration": {"query": settings, "dryRun": document.get("dryRun", False)},
            },
        )
        if document.get("dryRun"):
            return {"jobComplete": True, "totalBytesProcessed": job["statistics"]["totalBytesProcessed"]}
        options = {f"formatOptions.{name}": str(value) for name, value in document.get("formatOptions", {}).items()}
        if "maxResults" in document:
            options["maxResults"] = str(document["maxResults"])
        return self._results(job, options)

    def _get_results(self, request: HttpRequest, parts: dict[str, str]) -> dict[str, Any]:
        job = Jobs(self._store).get(parts["project"], parts["job"], request.query.get("location"))
        return self._results(job, request.query)

    def _results(self, job: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        failed = job["status"].get("errorResult")
        if failed:
            raise BigQueryError(failed["reason"], failed["message"])
        target = job["configuration"]["query"]["destinationTable"]
        table = self._store.table(target["projectId"], target["datasetId"], target["tableId"])
        return {
            **rows.read_page(self._store, table, query),
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job["jobReference"],
            "jobComplete": True,
            "schema": documents.of_schema(table.fields),
            "totalBytesProcessed": job["statistics"]["totalBytesProcessed"],
        }

    def _location(self, parts: dict[str, str]) -> str:
        return self._store.dataset(parts["project"], parts["dataset"]).location
