"""Where BigQuery datasets must lie, so that batch prediction can use their tables."""

from __future__ import annotations

from geminate.errors import InputError
from geminate.ports import TableStore
from geminate.wire.uris import BQ_SCHEME, split_bq_uri

# Locations of jobs that are no region, and of datasets that no job can use: the page on BigQuery input of batch
# prediction for Gemini, read 2026-11-22.
_NO_REGIONS = frozenset({"global", "us", "eu"})


def check_dataset_uri(uri: str, location: str) -> None:
    """Nothing, where jobs in that location may use tables at all.

    Raises:
        InputError: The URI is none of a dataset, or the location is no region.
    """
    split_bq_uri(uri, (2,))
    if location.lower() in _NO_REGIONS:
        raise InputError(
            f"jobs in {location} take no BigQuery tables",
            where=uri,
            remedy="give --location, the region that the dataset lies in, such as us-central1",
        )


def check_dataset(tables: TableStore, uri: str, location: str) -> None:
    """Nothing, where jobs in that location may use the tables of the dataset.

    Raises:
        InputError: There is no such dataset, it lies elsewhere, or in several regions.
    """
    check_dataset_uri(uri, location)
    dataset_location = tables.locate(uri)
    if dataset_location.lower() in _NO_REGIONS:
        raise InputError(
            f"the dataset is multi-regional ({dataset_location}), which batch prediction does not take",
            where=uri,
            remedy=f"make a dataset in {location} and name that",
        )
    if dataset_location.lower() != location.lower():
        raise InputError(
            f"the dataset lies in {dataset_location}, and the jobs run in {location}",
            where=uri,
            remedy=f"give --location {dataset_location.lower()}, or name a dataset in {location}",
        )


def is_table(uri: str | None) -> bool:
    """Whether a place is BigQuery's."""
    return uri is not None and uri.startswith(BQ_SCHEME)
