"""Datasets and tables as REST shows them."""

from __future__ import annotations

from typing import Any

import msgspec

from geminate.emulator.tables.schema import Field
from geminate.emulator.tables.store import Dataset, Table


def of_dataset(dataset: Dataset) -> dict[str, Any]:
    """A ``Dataset`` resource."""
    return {
        "kind": "bigquery#dataset",
        "id": f"{dataset.project}:{dataset.name}",
        "datasetReference": {"projectId": dataset.project, "datasetId": dataset.name},
        "location": dataset.location,
        "labels": dataset.labels,
        "creationTime": str(dataset.created_ms),
        "lastModifiedTime": str(dataset.created_ms),
        "type": "DEFAULT",
    }


def of_table(table: Table, location: str) -> dict[str, Any]:
    """A ``Table`` resource."""
    return {
        "kind": "bigquery#table",
        "id": table.id,
        "etag": f"{table.number}-{table.modified_ms}-{table.rows}",
        "tableReference": {"projectId": table.project, "datasetId": table.dataset, "tableId": table.name},
        "type": "TABLE",
        "location": location,
        "schema": of_schema(table.fields),
        "numRows": str(table.rows),
        "numBytes": str(table.size_bytes),
        "creationTime": str(table.created_ms),
        "lastModifiedTime": str(table.modified_ms),
        "labels": table.labels,
    }


def of_schema(fields: list[Field]) -> dict[str, Any]:
    """A ``TableSchema``."""
    return {"fields": msgspec.to_builtins(fields)}
