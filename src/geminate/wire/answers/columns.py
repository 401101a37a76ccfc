"""The Arrow type of the answers to a schema, and decoded answers as arrays of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from geminate.wire.answers.merge import Node

INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Column:
    """One place of the answers as Arrow holds it.

    Attributes:
        type: Its Arrow type.
        as_json: Whether it is the text of any JSON value, since Arrow has no one type for what the schema allows.
        fields: The columns of an object's properties, in their order.
        item: The column of an array's items.
    """

    type: pa.DataType
    as_json: bool = False
    fields: tuple[tuple[str, Column], ...] = ()
    item: Column | None = None


class MisfitError(ValueError):
    """A valid value that the column cannot hold; the message says where and why."""


def plan_column(node: Node) -> Column:
    """The column for a flat node.

    Objects become structs with the declared properties, every one of them nullable: a property that is absent and one
    that is null read the same. Strings of every format stay strings. Where no one type fits, the place holds JSON
    text: the nearest property around it, or the whole answer.
    """
    return _plan(node) or Column(pa.string(), as_json=True)


def _plan(node: Node) -> Column | None:
    if "refuse" in node:
        return None
    if "type" in node:
        return _PLANS.get(node["type"], _plan_nothing)(node)
    plans = [_plan(branch) for branch in node.get("anyOf", ())]
    return plans[0] if plans and all(plan == plans[0] for plan in plans) else None


def _plan_nothing(_node: Node) -> Column | None:
    return None


def _plan_array(node: Node) -> Column | None:
    prefix, items = node.get("prefixItems", []), node.get("items", {})
    # Items beyond the described ones can be anything, unless there cannot be any.
    closed = items is False or (prefix and node.get("maxItems", len(prefix) + 1) <= len(prefix))
    plans = [_plan(item) for item in (prefix if closed else [*prefix, items])]
    if not plans or plans[0] is None or any(plan != plans[0] for plan in plans):
        return None
    return Column(pa.list_(plans[0].type), item=plans[0])


def _plan_object(node: Node) -> Column | None:
    fields = tuple((name, plan_column(member)) for name, member in node.get("properties", {}).items())
    return (
        Column(pa.struct([pa.field(name, column.type) for name, column in fields]), fields=fields) if fields else None
    )


_PLANS: dict[str, Callable[[Node], Column | None]] = {
    "string": lambda _node: Column(pa.string()),
    "boolean": lambda _node: Column(pa.bool_()),
    "integer": lambda _node: Column(pa.int64()),
    "number": lambda _node: Column(pa.float64()),
    "array": _plan_array,
    "object": _plan_object,
}


def shape_value(value: Any, column: Column, path: str = "$") -> Any:
    """A valid decoded value as ``pa.array`` takes it for the column's type.

    Raises:
        MisfitError: The column cannot hold it, such as an integer beyond 64 bits.
    """
    if value is None:
        return None
    if column.as_json:
        return msgspec.json.encode(value).decode()
    if column.fields and isinstance(value, dict):
        return {name: shape_value(value.get(name), field, f"{path}.{name}") for name, field in column.fields}
    if column.item and isinstance(value, list):
        return [shape_value(item, column.item, f"{path}[{at}]") for at, item in enumerate(value)]
    try:
        return _SHAPES[column.type](value)
    except (KeyError, TypeError, OverflowError) as error:
        raise MisfitError(f"{path}: valid, but not a value that the answer column ({column.type}) can hold") from error


def _int64(value: Any) -> int:
    if isinstance(value, (str, bool)) or int(value) not in INT64:
        raise OverflowError
    return int(value)


def _float64(value: Any) -> float:
    if isinstance(value, (str, bool)):
        raise TypeError
    return float(value)


def _only(kind: type) -> Callable[[Any], Any]:
    def same(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return same


_SHAPES: dict[pa.DataType, Callable[[Any], Any]] = {
    pa.string(): _only(str),
    pa.bool_(): _only(bool),
    pa.int64(): _int64,
    pa.float64(): _float64,
}


def build_array(values: Sequence[Any], column: Column) -> pa.Array:
    """Answers that the compiled decoder made, as one array: column by column, without a dict for any of them."""
    if column.fields:
        return _build_struct(values, column)
    if column.item and _holds_struct(column.item):
        return _build_list(values, column, column.item)
    return pa.array(values, column.type)


def _holds_struct(column: Column) -> bool:
    return bool(column.fields) or (column.item is not None and _holds_struct(column.item))


def _build_struct(values: Sequence[Any], column: Column) -> pa.Array:
    missing = [value is None for value in values]
    present = values if not any(missing) else None
    arrays = []
    for at, (_, field) in enumerate(column.fields):
        get = attrgetter(f"f{at}")
        members = map(get, present) if present else (None if value is None else get(value) for value in values)
        arrays.append(build_array(list(members), field))
    mask = None if present else pa.array(missing, pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(column.type), mask=mask)


def _build_list(values: Sequence[Any], column: Column, item: Column) -> pa.Array:
    lengths = [len(value) if value is not None else 0 for value in values]
    offsets = pa.array([0, *accumulate(lengths)], pa.int32())
    items = build_array(list(chain.from_iterable(value for value in values if value)), item)
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(offsets, items, type=column.type, mask=mask)
