"""Which models, buckets and datasets go with which location, as dated data and rules."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from geminate.errors import InputError
from geminate.wire.limits import KNOWN_MODELS, read_data

_SPECIAL = frozenset({"global", "us", "eu"})
_KIND_WORDS = {"region": "a region"}


class _Kinds(msgspec.Struct, frozen=True):
    models: str
    kinds: list[str]
    source: str
    date: str
    note: str = ""


class _Areas(msgspec.Struct):
    prefixes: dict[str, tuple[str, ...]]


class _PlacesFile(msgspec.Struct):
    locations: list[_Kinds]
    areas: _Areas


_FILE: Final = msgspec.json.decode(read_data("places.json"), type=_PlacesFile)


def location_warning(model: str, location: str) -> str | None:
    """What is odd about a publisher model in a location, as a sentence; None where nothing is.

    Only ever a warning: models come to new locations before this list knows it, and a job that the service refuses
    costs nothing. A tuned model runs where it lies, which its name says.
    """
    bare = model.rpartition("/")[2].partition("@")[0]
    if bare not in KNOWN_MODELS:
        return None
    rule = next((rule for rule in _FILE.locations if re.fullmatch(rule.models, bare)), None)
    if rule is None or (location if location in _SPECIAL else "region") in rule.kinds:
        return None
    places = ", ".join(_KIND_WORDS.get(kind, kind) for kind in rule.kinds)
    return f"{bare} is not known to run in {location}: by the documentation of {rule.date} it runs in {places}"


def bucket_warning(bucket_uri: str, bucket_location: str, job_location: str) -> str | None:
    """What is odd about a bucket for jobs in a location, as a sentence; None where nothing is.

    The documentation of Gemini says nothing; that of other batch jobs asks for the same region or multi-region.
    """
    bucket, job = bucket_location.lower(), job_location.lower()
    if job in {"global", bucket} or _contains(bucket, job) or _contains(job, bucket):
        return None
    return f"{bucket_uri} lies in {bucket}, and the jobs run in {job}: this may be slow, cost transfer, or be refused"


def check_dataset(dataset_uri: str, dataset_location: str, job_location: str) -> None:
    """Nothing, where jobs of a location can read and write a dataset.

    Raises:
        InputError: They cannot (format facts of 2026-11): the dataset has to lie in the job's own region.
    """
    dataset, job = dataset_location.lower(), job_location.lower()
    if job in _SPECIAL:
        raise InputError(
            f"jobs in {job} read and write no BigQuery tables",
            where=dataset_uri,
            remedy=f"run the jobs in the dataset's region, --location {dataset}, or use a gs:// staging place",
        )
    if dataset in _SPECIAL:
        raise InputError(
            f"the dataset lies in the multi-region {dataset}, which batch prediction does not take",
            where=dataset_uri,
            remedy=f"use a dataset in {job}",
        )
    if dataset != job:
        raise InputError(
            f"the dataset lies in {dataset}, and the jobs run in {job}",
            where=dataset_uri,
            remedy=f"use a dataset in {job}, or --location {dataset}",
        )


def _contains(area: str, region: str) -> bool:
    return region.startswith(_FILE.areas.prefixes.get(area, ("\0",)))
