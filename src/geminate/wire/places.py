"""Which models and buckets go with which location, as dated data and rules."""

from __future__ import annotations

import re
from typing import Final

import msgspec

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


def _contains(area: str, region: str) -> bool:
    return region.startswith(_FILE.areas.prefixes.get(area, ("\0",)))
