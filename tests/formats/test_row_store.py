import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.formats.row_store import RowStore

SCHEMA = pa.schema([("text", pa.string()), ("calls", pa.list_(pa.struct([("name", pa.string())])))])


def batch(first, rows):
    values = [
        {"text": None if at % 5 == 0 else "t" * at, "calls": [{"name": str(at)}]} for at in range(first, first + rows)
    ]
    return pa.RecordBatch.from_pylist(values, schema=SCHEMA)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.data())
def test_rows_come_back_by_their_numbers(sizes, data):
    with RowStore() as store:
        count = 0
        for size in sizes:
            store.append(batch(count, size))
            count += size
            if count:
                numbers = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=12))
                taken = store.take(np.array(numbers))
                assert taken.to_pylist() == [batch(number, 1).to_pylist()[0] for number in numbers]
