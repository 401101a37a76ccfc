"""Peer: the notebook's way, ``read_json(lines=True)`` and ``merge``: ``[PROMPTS.parquet] PREDICTIONS.jsonl OUT``."""

from __future__ import annotations

import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from contract import COLUMNS, COMPRESSION, COMPRESSION_LEVEL
from row_loop import read_prediction


def read_predictions(path: str) -> pd.DataFrame:
    lines = pd.read_json(path, lines=True, dtype=False)
    members = ("status", "response", "processed_time")
    values = zip(*(lines[name] for name in members), strict=True)
    rows = [read_prediction(dict(zip(members, line, strict=True))) for line in values]
    frame = pd.DataFrame(rows, columns=COLUMNS.names)
    frame.insert(0, "key", lines["key"].to_numpy())
    return frame


def pick_lines(frame: pd.DataFrame) -> pd.DataFrame:
    """One line for each key, the first that is usable, with the number of the others."""
    counts = frame.groupby("key")["key"].transform("size") - 1
    order = (frame["gemini_outcome"] != "ok").astype("int8")
    picked = frame.assign(gemini_duplicates=counts, order=order).sort_values("order", kind="stable")
    return picked.drop_duplicates("key").drop(columns="order")


def main() -> None:
    *prompts, predictions, out = sys.argv[1:]
    frame = read_predictions(predictions)
    if prompts:
        frame = pd.read_parquet(prompts[0]).merge(pick_lines(frame), on="key", how="left")
        frame["gemini_outcome"] = frame["gemini_outcome"].fillna("missing")
        frame["gemini_duplicates"] = frame["gemini_duplicates"].fillna(0)
    else:
        frame["gemini_duplicates"] = 0
    pq.write_table(_typed(frame), out, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL)


def _typed(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    for place, name in enumerate(table.column_names):
        if name in COLUMNS.names and table.schema.types[place] != COLUMNS.field(name).type:
            table = table.set_column(place, name, table.column(name).cast(COLUMNS.field(name).type))
    return table


if __name__ == "__main__":
    main()
