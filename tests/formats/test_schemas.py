import pyarrow as pa
import pytest

from geminate.errors import PromptError
from geminate.formats.schemas import unify_schemas


@pytest.mark.parametrize(
    "one, other, both",
    [
        (pa.null(), pa.list_(pa.string()), pa.list_(pa.string())),
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.int32(), pa.float64(), pa.float64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.date32(), pa.date64(), pa.date64()),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.decimal128(5, 2), pa.decimal128(10, 4), pa.decimal128(10, 4)),
        (pa.list_(pa.int8()), pa.list_(pa.int64()), pa.list_(pa.int64())),
        (pa.struct({"a": pa.int8()}), pa.struct({"a": pa.int64()}), pa.struct({"a": pa.int64()})),
        (pa.int64(), pa.float64(), None),
        (pa.uint64(), pa.int64(), None),
        (pa.decimal128(5, 2), pa.float64(), None),
        (pa.string(), pa.binary(), None),
        (pa.string(), pa.int64(), None),
        (pa.bool_(), pa.int8(), None),
        (pa.timestamp("us", "UTC"), pa.timestamp("us"), None),
        (pa.list_(pa.int64()), pa.list_(pa.float64()), None),
        (pa.struct({"a": pa.int64()}), pa.struct({"a": pa.float64()}), None),
    ],
)
def test_types_are_widened_only_where_nothing_is_lost(one, other, both):
    for types in ((one, other), (other, one)):
        schemas = [(f"{number}.arrow", pa.schema({"c": type_})) for number, type_ in enumerate(types)]
        if both is None:
            with pytest.raises(PromptError, match=r"column 'c' is .* in 0\.arrow and .* in 1\.arrow"):
                unify_schemas(schemas)
        else:
            assert unify_schemas(schemas).field("c").type == both


def test_structs_have_the_members_of_all():
    structs = [pa.schema({"c": pa.struct({"a": pa.int8()})}), pa.schema({"c": pa.struct({"b": pa.string()})})]
    unified = unify_schemas(list(zip("xy", structs, strict=True)))
    assert unified.field("c").type == pa.struct({"a": pa.int8(), "b": pa.string()})
