"""The careful per-line loop that the ``json`` and ``orjson`` peers share: they differ in the decoder alone."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from contract import COLUMNS, COMPRESSION, COMPRESSION_LEVEL, OUTCOME_BY_FINISH, USAGE_MEMBERS

Decode = Callable[[Any], Any]

_OUTCOME = COLUMNS.get_field_index("gemini_outcome")
_DUPLICATES = COLUMNS.get_field_index("gemini_duplicates")
_ERROR_NUMBER = re.compile(r"\b(\d{1,3})\b")


def main(decode: Decode) -> None:
    """``[PROMPTS.parquet] PREDICTIONS.jsonl OUT.parquet``."""
    *prompts, predictions, out = sys.argv[1:]
    keys, columns = read_rows(predictions, decode, every_line=not prompts)
    table = pa.table({"key": keys, **columns}) if not prompts else join(pq.read_table(prompts[0]), keys, columns)
    pq.write_table(table, out, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL)


def read_rows(path: str, decode: Decode, *, every_line: bool) -> tuple[list[str | None], dict[str, list]]:
    """Keys and columns: of every line, or of one line for each key, the first that is usable."""
    place_of_key: dict[str | None, int] = {}
    keys: list[str | None] = []
    rows: list[list] = []
    for key, row in iter_rows(path, decode):
        place = None if every_line else place_of_key.get(key)
        if place is None:
            place_of_key[key] = len(rows)
            keys.append(key)
            rows.append(row)
            continue
        count = rows[place][_DUPLICATES] + 1
        if rows[place][_OUTCOME] != "ok" and row[_OUTCOME] == "ok":
            rows[place] = row
        rows[place][_DUPLICATES] = count
    values = zip(*rows, strict=True) if rows else [[] for _ in COLUMNS]
    return keys, {field.name: pa.array(column, field.type) for field, column in zip(COLUMNS, values, strict=True)}


def iter_rows(path: str, decode: Decode) -> Iterator[tuple[str | None, list]]:
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                prediction = decode(line)
                yield prediction.get("key"), read_prediction(prediction)
            except (ValueError, TypeError, AttributeError) as error:
                print(f"{path}:{number}: {error}", file=sys.stderr)


def join(prompts: pa.Table, keys: list[str | None], columns: dict[str, list]) -> pa.Table:
    place_of_key = {key: place for place, key in enumerate(keys)}
    places = pa.array([place_of_key.get(key) for key in prompts.column("key").to_pylist()], pa.int64())
    joined = pa.table(columns, schema=COLUMNS).take(places)
    missing = [outcome or "missing" for outcome in joined.column("gemini_outcome").to_pylist()]
    unseen = [count or 0 for count in joined.column("gemini_duplicates").to_pylist()]
    joined = joined.set_column(_OUTCOME, COLUMNS.field(_OUTCOME), pa.array(missing))
    joined = joined.set_column(_DUPLICATES, COLUMNS.field(_DUPLICATES), pa.array(unseen))
    for name in joined.column_names:
        prompts = prompts.append_column(name, joined.column(name))
    return prompts


def read_prediction(prediction: dict) -> list:
    """The values of ``COLUMNS`` for one line."""
    response = prediction.get("response") or {}
    candidate = (response.get("candidates") or [{}])[0]
    parts = [part for part in (candidate.get("content") or {}).get("parts") or () if not part.get("thought")]
    texts = [part["text"] for part in parts if part.get("text") is not None]
    finish = candidate.get("finishReason")
    block = (response.get("promptFeedback") or {}).get("blockReason")
    code, message = read_status(prediction.get("status") or "")
    usage = response.get("usageMetadata") or {}
    time = prediction.get("processed_time")
    usable = any(texts) or any(
        name in part for part in parts for name in ("functionCall", "inlineData", "executableCode")
    )
    return [
        judge(message, block, finish, usable=usable),
        "".join(texts) if texts else None,
        finish,
        block,
        code,
        message,
        0,
        *(usage.get(name) for name in USAGE_MEMBERS),
        response.get("modelVersion"),
        response.get("responseId"),
        None if time is None else datetime.fromisoformat(time),
    ]


def judge(message: str | None, block: str | None, finish: str | None, *, usable: bool) -> str:
    if message is not None:
        return "failed"
    if block is not None:
        return "blocked"
    if finish not in {"STOP", None}:
        return OUTCOME_BY_FINISH.get(finish, "aborted")
    return "ok" if usable else "empty"


def read_status(status: str) -> tuple[int | None, str | None]:
    """The code and the message of a status: words up to a brace, then JSON, as far as it can be read."""
    if not status:
        return None, None
    words, brace, rest = status.partition("{")
    try:
        error = json.loads(brace + rest)["error"]
        return error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        number = _ERROR_NUMBER.search(words)
        return int(number[1]) if number else None, status
