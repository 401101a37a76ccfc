"""Table schemas, and values on their way from JSON into the text that REST shows of them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from geminate.emulator.tables.errors import BigQueryError

# From the pages on schemas, column names and quotas of the BigQuery documentation, read 2026-11-22.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_PREFIXES = ("_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier")
_SYNONYMS = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
_MODES = ("NULLABLE", "REQUIRED", "REPEATED")
_MAX_COLUMNS = 10_000
_MAX_LEVELS = 15
_INT64 = range(-(2**63), 2**63)


class Field(msgspec.Struct, rename="camel", omit_defaults=True):
    """One column, or one member of a record."""

    name: str
    type: str
    mode: str = "NULLABLE"
    fields: list[Field] = []
    description: str | None = None
    range_element_type: dict[str, Any] | None = None

    @property
    def is_nested(self) -> bool:
        """Whether its cells are more than a text."""
        return self.mode == "REPEATED" or self.type == "RECORD"


def read_schema(document: Any) -> list[Field]:
    """The fields of a ``TableSchema``.

    Raises:
        BigQueryError: It breaks a rule.
    """
    try:
        fields = msgspec.convert((document or {}).get("fields", []), list[Field])
    except (msgspec.ValidationError, AttributeError) as error:
        raise BigQueryError("invalid", f"Invalid schema: {error}") from None
    _check_fields(fields, 1)
    if sum(1 for _ in _iter_all(fields)) > _MAX_COLUMNS:
        raise BigQueryError("invalid", f"Too many total leaf fields, maximum allowed field count: {_MAX_COLUMNS}")
    return fields


def _check_fields(fields: list[Field], level: int) -> None:
    if level > _MAX_LEVELS:
        raise BigQueryError("invalid", f"Schema nested too deeply, the maximum allowed level is {_MAX_LEVELS}")
    seen = set()
    for field in fields:
        field.type = _SYNONYMS.get(field.type.upper(), field.type.upper())
        field.mode = field.mode.upper()
        if not _NAME.fullmatch(field.name) or field.name.lower().startswith(_PREFIXES):
            raise BigQueryError("invalid", f'Invalid field name "{field.name}".')
        if field.name.lower() in seen:
            raise BigQueryError("invalid", f"Field {field.name} already exists in schema")
        if field.mode not in _MODES or (field.type != "RECORD" and field.type not in _READERS):
            raise BigQueryError("invalid", f"Invalid type or mode of field {field.name}: {field.type} {field.mode}")
        if (field.type == "RECORD") != bool(field.fields):
            raise BigQueryError("invalid", f"Field {field.name} is type RECORD but has no schema")
        seen.add(field.name.lower())
        _check_fields(field.fields, level + 1)


def _iter_all(fields: Iterable[Field]) -> Iterable[Field]:
    for field in fields:
        yield field
        yield from _iter_all(field.fields)


def encode_row(row: Any, fields: list[Field], *, ignore_unknown: bool, json_as_text: bool = False) -> list[str | None]:
    """A row's cells, in the order of the fields; nested ones as the JSON text of their REST form.

    Args:
        row: The row as a JSON object.
        fields: The columns.
        ignore_unknown: Whether members that are no columns are passed over.
        json_as_text: Whether a JSON column is given as text to be parsed, as ``insertAll`` does, and not as a value.

    Raises:
        BigQueryError: The row does not fit, in the words of BigQuery.
    """
    if not isinstance(row, dict):
        raise BigQueryError("invalid", "Value is not an object")
    given, names = row, [field.name for field in fields]
    if not row.keys() <= set(names):  # Column names know no case.
        given, names = {name.lower(): value for name, value in row.items()}, [name.lower() for name in names]
        if not ignore_unknown and (unknown := given.keys() - set(names)):
            raise BigQueryError("invalid", f"No such field: {min(unknown)}.")
    cells = [
        None
        if name not in given and field.mode == "NULLABLE"
        else _cell(given.get(name), field, json_as_text=json_as_text)
        for name, field in zip(names, fields, strict=True)
    ]
    return [
        cell if cell is None or not field.is_nested else msgspec.json.encode(cell).decode()
        for cell, field in zip(cells, fields, strict=True)
    ]


def _cell(value: Any, field: Field, *, json_as_text: bool) -> Any:
    if field.mode == "REPEATED":
        if value is not None and not isinstance(value, list):
            message = f"Repeated field must be imported as a JSON array. Field: {field.name}."
            raise BigQueryError("invalid", message)
        if any(element is None for element in value or []):
            raise BigQueryError("invalid", f"Only optional fields can be set to NULL. Field: {field.name}; Value: NULL")
        return [{"v": _single(element, field, json_as_text=json_as_text)} for element in value or []]
    if value is None:
        if field.mode == "REQUIRED":
            raise BigQueryError("invalid", f"Missing required field: {field.name}.")
        return None
    return _single(value, field, json_as_text=json_as_text)


def _single(value: Any, field: Field, *, json_as_text: bool) -> Any:
    if field.type == "RECORD":
        if not isinstance(value, dict):
            raise BigQueryError("invalid", f"This field: {field.name} is not a record.")
        return {"f": [{"v": _cell(value.get(m.name), m, json_as_text=json_as_text)} for m in field.fields]}
    if isinstance(value, list) and field.type != "JSON":
        raise BigQueryError("invalid", f"Array specified for non-repeated field: {field.name}.")
    try:
        if field.type == "JSON":
            return encode_json(json.loads(value, object_pairs_hook=first_members) if json_as_text else value)
        return _READERS[field.type](value)
    except (ValueError, TypeError, AttributeError, InvalidOperation, RecursionError):
        shown = json.dumps(value, default=str)[:100]
        raise BigQueryError(
            "invalid", f"Could not convert value to {field.type}. Field: {field.name}; Value: {shown}"
        ) from None


def first_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members; of several with one name the first counts, as in GoogleSQL."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        members.setdefault(name, value)
    return members


def encode_json(value: Any) -> str:
    """JSON as BigQuery shows it: no blanks, keys sorted.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _integer(value: Any) -> str:
    number = int(value) if not isinstance(value, float) or value.is_integer() else int("fraction")
    if isinstance(value, bool) or number not in _INT64:
        raise ValueError
    return str(number)


def _float(value: Any) -> str:
    if isinstance(value, bool):
        raise TypeError
    return repr(float(value))


def _boolean(value: Any) -> str:
    return {"true": "true", "false": "false", "1": "true", "0": "false"}.get(str(value).lower()) or _no_value()


def _no_value() -> str:
    raise ValueError


def _string(value: Any) -> str:
    if isinstance(value, dict):
        raise TypeError
    return value if isinstance(value, str) else json.dumps(value)


def _bytes(value: Any) -> str:
    try:
        return base64.b64encode(base64.b64decode(value, validate=True)).decode()
    except binascii.Error:
        raise ValueError from None


def _timestamp(value: Any) -> str:
    """Microseconds since the epoch, which is what REST gives to clients that ask for whole numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(round(value * 1_000_000))
    moment = datetime.fromisoformat(value.replace(" UTC", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime.fromtimestamp(0, UTC)
    return str((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _datetime(value: Any) -> str:
    moment = datetime.fromisoformat(value)
    return moment.isoformat() if moment.tzinfo is None else _no_value()


def _numeric(value: Any) -> str:
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError
    # Not normalize(), which rounds to 28 digits.
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_READERS: dict[str, Callable[[Any], str]] = {
    "STRING": _string,
    "BYTES": _bytes,
    "INTEGER": _integer,
    "FLOAT": _float,
    "BOOLEAN": _boolean,
    "TIMESTAMP": _timestamp,
    "DATE": lambda value: date.fromisoformat(value).isoformat(),
    "TIME": lambda value: time.fromisoformat(value).isoformat(),
    "DATETIME": _datetime,
    "NUMERIC": _numeric,
    "BIGNUMERIC": _numeric,
    "GEOGRAPHY": _string,
    "RANGE": _string,
    "JSON": encode_json,
}
