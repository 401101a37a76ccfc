"""Whether two commands made the same: ``python compare.py rows A.parquet B.parquet``, or ``requests`` or ``tables``.

Joined rows are compared to the cell on the columns that both have, request lines as JSON values; the order of rows is
not compared, since not every peer keeps it. The exit code is 1 where they differ, and the first difference is printed.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SORT_COLUMNS = ("key", "gemini_processed_time", "gemini_outcome", "gemini_response_id")


def compare_rows(left_path: str, right_path: str) -> str:
    """What differs, empty where nothing does."""
    left, right = (pq.ParquetFile(path) for path in (left_path, right_path))
    if left.metadata.num_rows != right.metadata.num_rows:
        return f"{left.metadata.num_rows:,} rows against {right.metadata.num_rows:,}"
    orders = [_order(file) for file in (left, right)]
    common = [name for name in left.schema_arrow.names if name in right.schema_arrow.names]
    for name in common:
        columns = [
            _plain(file.read([name]).column(name)).take(order)
            for file, order in zip((left, right), orders, strict=True)
        ]
        if columns[0] != columns[1]:
            return _first_difference(name, *columns)
    print(f"{left.metadata.num_rows:,} rows equal in {len(common)} columns")
    return ""


def compare_requests(left: str, right: str) -> str:
    """What differs between two folders of request lines, empty where nothing does."""
    counts, digests = zip(*(_digest(Path(folder)) for folder in (left, right)), strict=True)
    if counts[0] != counts[1]:
        return f"{counts[0]:,} request lines against {counts[1]:,}"
    if digests[0] != digests[1]:
        return f"the {counts[0]:,} request lines differ"
    print(f"{counts[0]:,} request lines equal")
    return ""


def compare_tables(left: str, right: str) -> str:
    """What differs between the table that a run was built into and one that a file beside ``right`` names."""
    from geminate import Run

    url, right_name = (Path(right) / "table").read_text().split()
    (status,) = Run.open(left).status(refresh=False).attempts
    names = [status.attempt.input_uri.removeprefix("bq://"), right_name]
    ours, theirs = (_read_table(url, name) for name in names)
    common = [name for name in ours.column_names if name in theirs.column_names]
    for name in common:
        if ours[name] != theirs[name]:
            return _first_difference(name, ours[name], theirs[name])
    print(f"{len(ours):,} rows equal in {', '.join(common)}")
    return ""


def _read_table(url: str, name: str) -> pa.Table:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client("bench", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
    table = client.list_rows(client.get_table(name)).to_arrow(create_bqstorage_client=False).sort_by("key")
    if "request" in table.column_names:
        canonical = [
            orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS) for text in table["request"].to_pylist()
        ]
        table = table.set_column(table.column_names.index("request"), "request", pa.array(canonical))
    return table.combine_chunks()


def _order(file: pq.ParquetFile) -> pa.Array:
    names = [name for name in SORT_COLUMNS if name in file.schema_arrow.names]
    table = file.read(names)
    table = pa.table({name: _plain(table.column(name)) for name in names})
    return pc.sort_indices(table, [(name, "ascending") for name in names])


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column in the one type of its kind, whatever the writer chose."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_string(kind):
        kind = pa.large_string()  # A column of a gigabyte does not fit 32-bit offsets.
    elif pa.types.is_integer(kind):
        kind = pa.int64()
    elif pa.types.is_timestamp(kind):
        kind = pa.timestamp("us", "UTC")
    column = column.cast(kind)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _first_difference(name: str, left: pa.Array, right: pa.Array) -> str:
    pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
    unequal = [(row, *pair) for row, pair in enumerate(pairs) if pair[0] != pair[1]]
    row, one, other = unequal[0]
    return f"column {name} differs in {len(unequal):,} rows, first in row {row}: {one!r:.200} against {other!r:.200}"


def _digest(folder: Path) -> tuple[int, int]:
    """The count of lines and the sum of their hashes, which no order changes."""
    count = total = 0
    for path in sorted(folder.rglob("requests-*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                canonical = orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS)
                total += int.from_bytes(hashlib.blake2b(canonical, digest_size=16).digest())
                count += 1
    return count, total


def main() -> None:
    kind, left, right = sys.argv[1:]
    difference = {"rows": compare_rows, "requests": compare_requests, "tables": compare_tables}[kind](left, right)
    if difference:
        print(difference)
        sys.exit(1)


if __name__ == "__main__":
    main()
