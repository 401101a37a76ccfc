"""What the service allows, as dated data: limits, number ranges, and the models it runs.

The numbers stand in ``data/limits.json`` and ``data/models.json``, each with its source and the date it was read.
They change without notice; nothing here is asked of the service.
"""

from __future__ import annotations

import difflib
from importlib import resources
from typing import Final

import msgspec

_PUBLISHER_PREFIX = "publishers/google/models/"


class Fact(msgspec.Struct, frozen=True):
    """One number and where it comes from.

    Attributes:
        value: The number.
        source: The page that says so.
        date: When it was read, as an ISO date.
        note: How it is meant, where the page leaves that open.
    """

    value: int
    source: str
    date: str
    note: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of batch prediction; each one's source stands in ``LIMIT_FACTS`` under the same name."""

    max_requests_per_job: int
    max_input_file_bytes: int
    max_queue_hours: int
    max_run_hours: int
    max_inline_image_bytes: int
    max_gcs_image_bytes: int
    max_document_bytes: int
    max_text_bytes: int
    max_images_per_prompt: int
    max_videos_per_prompt: int
    max_labels: int
    max_label_chars: int
    max_display_name_chars: int
    max_label_values_per_key: int
    max_nesting_levels: int
    max_columns: int
    max_column_name_chars: int
    max_bigquery_row_bytes: int


class Model(msgspec.Struct, frozen=True):
    """A publisher model that the documentation lists for batch prediction.

    Attributes:
        model_id: Its id, such as ``gemini-3.5-flash``.
        source: The page that lists it.
        date: When it was read, as an ISO date.
    """

    model_id: str
    source: str
    date: str


class _Ranges(msgspec.Struct):
    fields: dict[str, tuple[float | None, float | None]]


class _Unsupported(msgspec.Struct):
    fields: dict[str, str]


class _Keywords(msgspec.Struct):
    keywords: frozenset[str]


class _ModelLimits(msgspec.Struct):
    limits: dict[str, dict[str, int]]


class _LimitsFile(msgspec.Struct):
    limits: dict[str, Fact]
    model_limits: _ModelLimits
    ranges: _Ranges
    unsupported: _Unsupported
    ignored_schema_keywords: _Keywords


class _ModelsPage(msgspec.Struct):
    source: str
    date: str
    ids: list[str]


class _ModelsFile(msgspec.Struct):
    models: list[_ModelsPage]


def read_data(name: str) -> bytes:
    """The bytes of a file of dated facts."""
    return (resources.files("geminate") / "wire" / "data" / name).read_bytes()


_FILE = msgspec.json.decode(read_data("limits.json"), type=_LimitsFile)

LIMIT_FACTS: Final[dict[str, Fact]] = _FILE.limits
"""Every limit with its source and date."""

LIMITS: Final[Limits] = msgspec.convert({name: fact.value for name, fact in LIMIT_FACTS.items()}, Limits)
"""Every limit, as a number."""

FIELD_RANGES: Final[dict[str, tuple[float | None, float | None]]] = _FILE.ranges.fields
"""The least and greatest number that a field takes, by ``Definition.field`` of the request schema."""

UNSUPPORTED_FIELDS: Final[dict[str, str]] = _FILE.unsupported.fields
"""What a field asks for that batch prediction does not do, by ``Definition.field`` of the request schema."""

IGNORED_SCHEMA_KEYWORDS: Final[frozenset[str]] = _FILE.ignored_schema_keywords.keywords
"""What an answer schema may hold and the service leaves aside."""

KNOWN_MODELS: Final[dict[str, Model]] = {
    model_id: Model(model_id, page.source, page.date)
    for page in msgspec.json.decode(read_data("models.json"), type=_ModelsFile).models
    for model_id in page.ids
}
"""The listed models by id, newest first."""


def limits_of(model: str) -> Limits:
    """The limits that hold for a model; those of any model where nothing is known of it."""
    bare = bare_model(model)
    lower = {name: models[bare] for name, models in _FILE.model_limits.limits.items() if bare in models}
    return msgspec.structs.replace(LIMITS, **lower)


def model_warning(model: str) -> str | None:
    """What is odd about a model's name, as a sentence; None where nothing is.

    Only ever a warning: new models appear before this list knows them. Tuned models, which go by resource names, are
    not looked at.
    """
    bare = bare_model(model)
    if bare in KNOWN_MODELS or "/" in bare:
        return None
    near = difflib.get_close_matches(bare, KNOWN_MODELS, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    newest = max(known.date for known in KNOWN_MODELS.values())
    return f"{bare!r} is not among the models listed for batch prediction on {newest}{guess}"


def bare_model(model: str) -> str:
    """The id of a publisher model, without its place and version; a resource name stays one."""
    return model.removeprefix(_PUBLISHER_PREFIX).partition("@")[0]
