"""The body of a create call: which names it may hold, and what it must.

The names are those of the discovery document aiplatform v1, revision 20261106. Like Google's own parser this one takes
``camelCase`` and ``snake_case``, and refuses every other name.
"""

from __future__ import annotations

import re
from typing import Any

from geminate.emulator.limits import Limits
from geminate.emulator.statuses import ApiError

_JOB = "batch_prediction_job"
_OUTPUT_ONLY = frozenset(
    [
        "name",
        "modelVersionId",
        "outputInfo",
        "state",
        "error",
        "partialFailures",
        "resourcesConsumed",
        "completionStats",
        "createTime",
        "startTime",
        "endTime",
        "updateTime",
        "satisfiesPzs",
        "satisfiesPzi",
    ]
)
_INPUT = frozenset(
    [
        "displayName",
        "model",
        "inputConfig",
        "instanceConfig",
        "modelParameters",
        "outputConfig",
        "dedicatedResources",
        "serviceAccount",
        "manualBatchTuningParameters",
        "generateExplanation",
        "explanationSpec",
        "labels",
        "encryptionSpec",
        "disableContainerLogging",
        "unmanagedContainerModel",
    ]
)
# The names below each message, by the message's path; what is not listed here is free.
_NAMES: dict[tuple[str, ...], frozenset[str]] = {
    (): _INPUT | _OUTPUT_ONLY,
    ("inputConfig",): frozenset({"instancesFormat", "gcsSource", "bigquerySource", "vertexMultimodalDatasetSource"}),
    ("inputConfig", "gcsSource"): frozenset({"uris"}),
    ("inputConfig", "bigquerySource"): frozenset({"inputUri"}),
    ("outputConfig",): frozenset(
        {"predictionsFormat", "gcsDestination", "bigqueryDestination", "vertexMultimodalDatasetDestination"}
    ),
    ("outputConfig", "gcsDestination"): frozenset({"outputUriPrefix"}),
    ("outputConfig", "bigqueryDestination"): frozenset({"outputUri"}),
}
_REQUIRED = (
    ("displayName",),
    ("model",),
    ("inputConfig",),
    ("inputConfig", "instancesFormat"),
    ("outputConfig",),
    ("outputConfig", "predictionsFormat"),
)
_URI = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/(?P<name>[^\0]*))?")
_TABLE = re.compile(r"bq://[\w:.-]+?\.\w+\.[\w-]+", re.ASCII)
_DATASET = re.compile(r"bq://[\w:-]+\.\w+", re.ASCII)
_MODEL = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models/(?P<publisher>[^/]+)"
    r"|projects/[^/]+/locations/[^/]+/(?:models|endpoints)/[^/]+"
)
_LABEL_KEY = re.compile(r"[^\W\dA-Z][\w-]*")
_LABEL_VALUE = re.compile(r"[\w-]*")


def check_body(document: Any, limits: Limits, models: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What a create call asks for, in camelCase, without what only the service may say.

    Args:
        document: The decoded body.
        limits: How long names and labels may be.
        models: The models that exist; empty for all.

    Raises:
        ApiError: It is refused, as Google would refuse it, or asks for what only the service can do.
    """
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON payload received. Expected an object.")
    body = _camel(document, ())
    for path in _REQUIRED:
        _require(body, path)
    _check_texts(body, limits)
    _check_labels(body.get("labels", {}), limits)
    _check_source(body["inputConfig"])
    _check_destination(body["outputConfig"])
    _check_model(body["model"], models)
    return {name: value for name, value in body.items() if name not in _OUTPUT_ONLY}


def model_id(model: str) -> str | None:
    """The publisher model that a resource name means; None for a tuned one."""
    found = _MODEL.fullmatch(model)
    return found["publisher"] if found else None


def _camel(message: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    known = _NAMES[path]
    renamed = {}
    for name, value in message.items():
        camel = re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)
        if camel not in known:
            raise _unknown_name(name, path)
        below = (*path, camel)
        if below not in _NAMES:
            renamed[camel] = value
        elif isinstance(value, dict):
            renamed[camel] = _camel(value, below)
        else:
            raise _wrong_type(below, value)
    return renamed


def _require(body: dict[str, Any], path: tuple[str, ...]) -> None:
    value: Any = body
    for name in path:
        value = value.get(name)
    if not value:
        raise _invalid(f"The required field {_proto(path)} is missing or empty.")


def _check_texts(body: dict[str, Any], limits: Limits) -> None:
    for path in (
        ("displayName",),
        ("model",),
        ("inputConfig", "instancesFormat"),
        ("outputConfig", "predictionsFormat"),
    ):
        value: Any = body
        for name in path:
            value = value[name]
        if not isinstance(value, str):
            raise _wrong_type(path, value)
    if len(body["displayName"]) > limits.max_display_name_length:
        raise _invalid(f"The display name is longer than {limits.max_display_name_length} characters.")


def _check_labels(labels: Any, limits: Limits) -> None:
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _wrong_type(("labels",), labels)
    if len(labels) > limits.max_labels:
        raise _invalid(f"A resource has at most {limits.max_labels} labels.")
    for key, value in labels.items():
        short = len(key) <= limits.max_label_length and len(value) <= limits.max_label_length
        lower = key == key.lower() and value == value.lower()
        if not (short and lower and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise _invalid(
                f"Invalid label {key!r}: {value!r}. Keys and values have at most {limits.max_label_length} characters, "
                "only lowercase letters, digits, underscores and dashes, and a key begins with a letter."
            )


def _check_source(source: dict[str, Any]) -> None:
    if "bigquerySource" in source:
        _check_table(source, "instancesFormat", source["bigquerySource"].get("inputUri"), _TABLE)
        return
    if "gcsSource" not in source:
        raise _not_emulated("inputConfig.gcsSource and bigquerySource are the only sources it has")
    if source["instancesFormat"] != "jsonl":
        raise _invalid(f"Unsupported instances format {source['instancesFormat']!r} for a Cloud Storage source.")
    uris = source["gcsSource"].get("uris")
    # A single text is what some published samples send, and it is taken.
    uris = [uris] if isinstance(uris, str) else uris
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise _wrong_type(("inputConfig", "gcsSource", "uris"), uris)
    if not uris:
        raise _invalid("The required field input_config.gcs_source.uris is missing or empty.")
    if len(uris) > 1 or "*" in uris[0]:
        raise _not_emulated("a job reads one file, since the documentation contradicts itself about several")
    if not _object_name(uris[0]):
        raise _invalid(f"Invalid Cloud Storage URI: {uris[0]!r}.")
    source["gcsSource"]["uris"] = uris


def _check_destination(destination: dict[str, Any]) -> None:
    if "bigqueryDestination" in destination:
        uri = destination["bigqueryDestination"].get("outputUri")
        pattern = _DATASET if isinstance(uri, str) and uri.count(".") == 1 else _TABLE
        _check_table(destination, "predictionsFormat", uri, pattern)
        return
    if "gcsDestination" not in destination:
        raise _not_emulated("outputConfig.gcsDestination and bigqueryDestination are the only destinations it has")
    if destination["predictionsFormat"] != "jsonl":
        raise _invalid(
            f"Unsupported predictions format {destination['predictionsFormat']!r} for a Cloud Storage destination."
        )
    prefix = destination["gcsDestination"].get("outputUriPrefix")
    if not isinstance(prefix, str) or _object_name(prefix) is None:
        raise _invalid(f"Invalid Cloud Storage URI prefix: {prefix!r}.")


def _check_table(config: dict[str, Any], format_name: str, uri: Any, pattern: re.Pattern[str]) -> None:
    if config[format_name] != "bigquery":
        raise _invalid(f"Unsupported format {config[format_name]!r} for BigQuery.")
    if not isinstance(uri, str) or not pattern.fullmatch(uri):
        raise _invalid(f"Invalid BigQuery URI: {uri!r}.")


def _object_name(uri: str) -> str | None:
    """The object's name, perhaps empty; None where the URI is none, or would lead out of the bucket's folder."""
    found = _URI.fullmatch(uri)
    name = (found["name"] or "") if found else ".."
    return None if {".", ".."} & set(name.split("/")) else name


def _check_model(model: str, models: frozenset[str]) -> None:
    found = _MODEL.fullmatch(model)
    if not found:
        raise ApiError(404, "NOT_FOUND", f"The Model {model} does not exist. Name it publishers/google/models/MODEL.")
    if found["publisher"] and models and found["publisher"] not in models:
        raise ApiError(404, "NOT_FOUND", f"The PublisherModel {found['publisher']} does not exist.")


def _proto(path: tuple[str, ...]) -> str:
    return ".".join(re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name) for name in path)


def _unknown_name(name: str, path: tuple[str, ...]) -> ApiError:
    place = ".".join(filter(None, (_JOB, _proto(path))))
    description = f"Invalid JSON payload received. Unknown name {_quoted(name)} at '{place}': Cannot find field."
    return _invalid(description, field=place)


def _wrong_type(path: tuple[str, ...], value: Any) -> ApiError:
    place = f"{_JOB}.{_proto(path)}"
    return _invalid(f"Invalid value at '{place}', {_quoted(str(value))}", field=place)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _not_emulated(what: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", f"This is the Geminate emulator: {what}.")


def _invalid(message: str, field: str | None = None) -> ApiError:
    details: list[dict[str, object]] | None = None
    if field:
        violation = {"field": field, "description": message}
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    return ApiError(400, "INVALID_ARGUMENT", message, details)
