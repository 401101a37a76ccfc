"""Load and query jobs: run when they are inserted, kept under an id that is used once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import IO, Any

from geminate.emulator.tables.errors import BigQueryError, not_found
from geminate.emulator.tables.loads import read_load, run_load
from geminate.emulator.tables.queries import read_query, run_query
from geminate.emulator.tables.store import Dataset, Table, TableStore, now_ms

_RESULTS = "_geminate_results"


@dataclass(slots=True)
class _Run:
    """A job while it is made: where it runs, and what will be said of it."""

    project: str
    job_id: str
    location: str
    statistics: dict[str, Any]
    configuration: dict[str, Any]


class Jobs:
    """The jobs of one emulator.

    Args:
        store: Where they work, and are kept.
    """

    def __init__(self, store: TableStore) -> None:
        self._store = store

    def insert(self, project: str, document: Any, media: IO[bytes] | None = None) -> dict[str, Any]:
        """The job's document, which is at its end. A job that fails is kept like one that does not.

        Raises:
            BigQueryError: The id was used before, or the job cannot even be begun.
        """
        reference, configuration = document.get("jobReference") or {}, document.get("configuration") or {}
        job_id = reference.get("jobId") or f"job_{secrets.token_hex(12)}"
        with self._store.exclusive():
            if self._store.find_job(project, job_id):
                raise BigQueryError("duplicate", f"Already Exists: Job {project}:{job_id}")
            started = now_ms()
            run = _Run(project, job_id, reference.get("location", ""), {"creationTime": str(started)}, configuration)
            run.statistics["startTime"] = str(started)
            self._locate(run)
            error = self._work(run, media)
            job = _document(run, error)
            if not configuration.get("dryRun"):
                self._store.add_job(project, job_id, job)
            return job

    def get(self, project: str, job_id: str, location: str | None) -> dict[str, Any]:
        """The job's document.

        Raises:
            BigQueryError: There is none of that id in that location.
        """
        job = self._store.find_job(project, job_id)
        if job is None or (location and job["jobReference"]["location"].lower() != location.lower()):
            raise not_found("Job", f"{project}:{job_id}")
        return job

    def _work(self, run: _Run, media: IO[bytes] | None) -> BigQueryError | None:
        try:
            with self._store.transaction():
                if "load" in run.configuration:
                    self._load(run, media)
                else:
                    self._query(run)
        except BigQueryError as error:
            if error.reason == "notImplemented" or run.configuration.get("dryRun"):
                raise
            return error
        return None

    def _load(self, run: _Run, media: IO[bytes] | None) -> None:
        load = read_load(run.configuration["load"])
        if media is None:
            raise BigQueryError("invalid", "Required parameter is missing: a load job needs an upload")
        loaded = run_load(self._store, load, media)
        run.statistics["load"] = {
            "inputFiles": "1",
            "inputFileBytes": str(loaded.input_bytes),
            "outputRows": str(loaded.rows),
            "outputBytes": str(loaded.input_bytes),
            "badRecords": str(loaded.bad_records),
        }

    def _query(self, run: _Run) -> None:
        settings = run.configuration["query"]
        query = read_query(self._store, settings.get("query", ""))
        bytes_read = str(query.table.size_bytes)
        run.statistics |= {"totalBytesProcessed": bytes_read}
        run.statistics["query"] = {"totalBytesProcessed": bytes_read, "statementType": "SELECT", "cacheHit": False}
        if run.configuration.get("dryRun"):
            return
        limit = settings.get("maximumBytesBilled")
        query.check_bill(int(limit) if limit else None)
        target = settings.get("destinationTable") or {
            "projectId": run.project,
            "datasetId": self._results_dataset(run),
            "tableId": f"anon_{run.job_id}".replace("-", "_"),
        }
        run_query(self._store, query, target["projectId"], target["datasetId"], target["tableId"])
        settings["destinationTable"] = target

    def _results_dataset(self, run: _Run) -> str:
        name = f"{_RESULTS}_{run.location}".replace("-", "_")
        if all(dataset.name != name for dataset in self._store.datasets(run.project)):
            self._store.add_dataset(Dataset(run.project, name, run.location, now_ms()))
        return name

    def _locate(self, run: _Run) -> None:
        """Nothing; the job has the location of what it works on.

        Raises:
            BigQueryError: It names another one, where what it works on is not.
        """
        dataset = self._dataset(run)
        if run.location and run.location.lower() != dataset.location.lower():
            name = f"{dataset.project}:{dataset.name} was not found in location {run.location}"
            raise not_found("Dataset", name)
        run.location = dataset.location

    def _dataset(self, run: _Run) -> Dataset:
        if load := run.configuration.get("load"):
            target = read_load(load)
            return self._store.dataset(target.project, target.dataset)
        if query := run.configuration.get("query"):
            table: Table = read_query(self._store, query.get("query", "")).table
            return self._store.dataset(table.project, table.dataset)
        raise BigQueryError("invalid", "Required parameter is missing: configuration.load or configuration.query")


def _document(run: _Run, error: BigQueryError | None) -> dict[str, Any]:
    status: dict[str, Any] = {"state": "DONE"}
    if error is not None:
        status |= {"errorResult": error.proto, "errors": [error.proto]}
    reference = {"projectId": run.project, "jobId": run.job_id, "location": run.location}
    return {
        "kind": "bigquery#job",
        "id": f"{run.project}:{run.location}.{run.job_id}",
        "jobReference": reference,
        "configuration": {**run.configuration, "jobType": "LOAD" if "load" in run.configuration else "QUERY"},
        "status": status,
        "statistics": {**run.statistics, "endTime": str(now_ms())},
        "user_email": "emulator@localhost",
    }
