"""Prompt sets for ``geminate build``, with the specs that go with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from macro.texts import Composer

ROW_GROUP_BYTES = 32 * 1024**2
CATEGORIES = ("delivery", "billing", "returns", "account", "repair", "praise", "privacy", "advertising", "other")
SYSTEM = (
    "You label messages that customers wrote to a shop. Read the whole message, quotations included, before you "
    "decide. Answer with one label and one short sentence that says why, in the language of the message."
)
GENERATION = {"maxOutputTokens": 256, "temperature": 0, "topP": 0.95}
PLAIN_TEXT = "Category: {{ category }}\n\nMessage:\n{{ text }}"
LOGIC_TEXT = (
    "{% if score > 0.5 %}This one is urgent.\n{% endif %}Category: {{ category }}\n"
    "{% for label in ['delivery', 'billing', 'other'] %}{% if label != category %}Not: {{ label }}\n{% endif %}"
    "{% endfor %}\nMessage:\n{{ text }}"
)
SCHEMA = pa.schema(
    [("key", pa.string()), ("text", pa.string()), ("category", pa.string()), ("score", pa.float64())],
)


def write_prompt_set(folder: Path, rows: int, mean_bytes: float) -> None:
    """Writes ``prompts.parquet``, ``spec.json`` with plain slots, and ``logic.json`` with conditions and a loop."""
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / "prompts.parquet", SCHEMA, compression="snappy") as writer:
        for batch in _iter_record_batches(rows, mean_bytes):
            writer.write_batch(batch)
    for name, text in (("spec.json", PLAIN_TEXT), ("logic.json", LOGIC_TEXT)):
        (folder / name).write_bytes(orjson.dumps(make_spec(text), option=orjson.OPT_INDENT_2))


def make_spec(text: str) -> dict:
    return {
        "model": "gemini-3.5-flash",
        "request": {
            "systemInstruction": {"parts": [{"text": SYSTEM}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": GENERATION,
        },
    }


def make_key(row: int) -> str:
    return f"r-{row + 1:09d}"


def iter_spans(rows: int, mean_bytes: float) -> Iterator[range]:
    """The rows of each row group."""
    step = max(1, int(ROW_GROUP_BYTES / mean_bytes))
    for start in range(0, rows, step):
        yield range(start, min(start + step, rows))


def _iter_record_batches(rows: int, mean_bytes: float) -> Iterator[pa.RecordBatch]:
    composer = Composer(rows, mean_bytes, seed=2)
    state = np.random.RandomState(3)
    categories = pa.array(CATEGORIES)
    for span in iter_spans(rows, mean_bytes):
        yield pa.record_batch(
            [
                pa.array([make_key(row) for row in span]),
                pa.array([composer.text(row) for row in span]),
                categories.take(pa.array(state.randint(0, len(CATEGORIES), len(span)))),
                pa.array(np.round(state.random_sample(len(span)), 3)),
            ],
            schema=SCHEMA,
        )
