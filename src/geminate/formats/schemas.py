"""Schemas: the plain types everything downstream is given, and one schema for several sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from geminate.errors import PromptError


def plain_schema(schema: pa.Schema, name: str) -> pa.Schema:
    """The schema in plain types, with the metadata of the whole and none of the fields.

    Raises:
        PromptError: Two columns have one name.
    """
    twice = sorted({column for column in schema.names if schema.names.count(column) > 1})
    if twice:
        raise PromptError(f"two columns are called {twice[0]!r}", where=name, remedy="rename one")
    return pa.schema([pa.field(field.name, plain_type(field.type)) for field in schema], schema.metadata)


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type without an encoding of its own: dictionaries, run ends and views are what they stand for.

    Text is ``string`` and bytes are ``binary``, whatever the width of their offsets; an extension type is its storage.
    """
    if isinstance(type_, pa.BaseExtensionType):
        return plain_type(type_.storage_type)
    if pt.is_dictionary(type_) or pt.is_run_end_encoded(type_):
        return plain_type(type_.value_type)
    if pt.is_large_string(type_) or pt.is_string_view(type_):
        return pa.string()
    if pt.is_large_binary(type_) or pt.is_binary_view(type_):
        return pa.binary()
    return _plain_nested(type_)


def _plain_nested(type_: pa.DataType) -> pa.DataType:
    if pt.is_struct(type_):
        return pa.struct([field.with_type(plain_type(field.type)).remove_metadata() for field in type_])
    if pt.is_map(type_):
        return pa.map_(plain_type(type_.key_type), plain_type(type_.item_type))
    if pt.is_fixed_size_list(type_):
        return pa.list_(plain_type(type_.value_type), type_.list_size)
    if pt.is_list(type_) or pt.is_large_list(type_) or pt.is_list_view(type_) or pt.is_large_list_view(type_):
        return pa.list_(plain_type(type_.value_type))
    return type_


def unify_schemas(schemas: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """One schema with every column of all, in the order of their first appearance.

    Raises:
        PromptError: A column's types have none in common that holds every value of both.
    """
    types: dict[str, tuple[str, pa.DataType]] = {}
    for source, schema in schemas:
        for field in schema:
            first, before = types.setdefault(field.name, (source, field.type))
            common = _common_type(before, field.type)
            if common is None:
                raise PromptError(
                    f"column {field.name!r} is {before} in {first} and {field.type} in {source}",
                    remedy="give the column one type",
                )
            types[field.name] = first, common
    metadata = next((schema.metadata for _, schema in schemas if schema.metadata), None)
    return pa.schema([pa.field(name, type_) for name, (_, type_) in types.items()], metadata)


def conform(record_batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows in this schema; columns they lack are null.

    Raises:
        pa.ArrowInvalid: A value does not fit its column's type.
    """
    if record_batch.schema.equals(schema, check_metadata=True):
        return record_batch
    there = {name: record_batch.column(at) for at, name in enumerate(record_batch.schema.names)}
    missing = pa.nulls(record_batch.num_rows)
    arrays = [_cast(there.get(field.name, missing), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if pt.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pt.is_dictionary(array.type):  # By hand, since Arrow has no cast for dictionaries of views.
        array = _cast(array.dictionary, plain_type(array.type.value_type)).take(array.indices)
    return array if array.type.equals(type_) else array.cast(type_)


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if one.equals(other):
        return one
    try:
        both = [pa.schema({"": one}), pa.schema({"": other})]
        common = pa.unify_schemas(both, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None
    return None if _loses(one, common) or _loses(other, common) else common


def _loses(old: pa.DataType, new: pa.DataType) -> bool:
    """Whether a value of the old type may not survive in the new one, which Arrow holds for near enough."""
    if old.equals(new):
        return False
    if pt.is_struct(old):
        return any(_loses(field.type, new.field(field.name).type) for field in old)
    if pt.is_nested(old):
        return pt.is_map(old) or _loses(old.value_type, new.value_type)
    return any(is_old(old) and is_new(new) and not fits(old, new) for is_old, is_new, fits in _LOSSY)


_Test = Callable[[pa.DataType], bool]
_LOSSY: tuple[tuple[_Test, _Test, Callable[[pa.DataType, pa.DataType], bool]], ...] = (
    (pt.is_integer, pt.is_floating, lambda old, new: old.bit_width < new.bit_width),
    (pt.is_uint64, pt.is_signed_integer, lambda _old, _new: False),
    (pt.is_decimal, pt.is_floating, lambda _old, _new: False),
    (pt.is_string, pt.is_binary, lambda _old, _new: False),
)
"""What Arrow widens at a loss: from, to, and the pairs of these that lose nothing."""
