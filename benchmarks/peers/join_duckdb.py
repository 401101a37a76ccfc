"""Peer: DuckDB on all cores: ``[--ordered] [PROMPTS.parquet] PREDICTIONS.jsonl OUT.parquet``.

Tuned by measurement: a typed ``read_json`` beats ``json_transform`` and ``json_extract`` on ``read_ndjson_objects``;
a window over the rows beats ``GROUP BY`` with ``arg_min``, and a temporary table with the doubled keys beside; row
groups of 64 MB halve the memory of large rows. Without ``--ordered`` the rows come in any order, which is less than
Geminate delivers.
"""

from __future__ import annotations

import sys

import duckdb
from contract import BLOCKED, COLUMNS, COMPRESSION, COMPRESSION_LEVEL, TOKEN_COLUMNS, USAGE_MEMBERS

_RESPONSE = f"""STRUCT(
    candidates STRUCT(content STRUCT(parts STRUCT("text" VARCHAR, thought BOOLEAN)[]), finishReason VARCHAR)[],
    promptFeedback STRUCT(blockReason VARCHAR),
    modelVersion VARCHAR,
    responseId VARCHAR,
    usageMetadata STRUCT({", ".join(f"{member} BIGINT" for member in USAGE_MEMBERS)}))"""

_LINES = f"""
    SELECT key, status, processed_time, response,
        response.candidates[1].finishReason AS finish,
        response.promptFeedback.blockReason AS block,
        array_to_string([p.text FOR p IN response.candidates[1].content.parts IF NOT coalesce(p.thought, false)], '')
            AS text,
        CASE WHEN status != '' THEN try_cast(regexp_extract(status, '(?s)\\{{.*') AS JSON) END AS error
    FROM read_json(?, format = 'newline_delimited', columns = {{
        key: 'VARCHAR', status: 'VARCHAR', processed_time: 'VARCHAR', response: '{_RESPONSE.replace("'", "''")}'}})"""

_ROWS = f"""
    SELECT key,
        CASE
            WHEN status != '' THEN 'failed'
            WHEN block IS NOT NULL THEN 'blocked'
            WHEN finish = 'MAX_TOKENS' THEN 'truncated'
            WHEN finish IN {BLOCKED} THEN 'blocked'
            WHEN finish != 'STOP' THEN 'aborted'
            WHEN text != '' THEN 'ok'
            ELSE 'empty'
        END AS gemini_outcome,
        text AS gemini_text,
        finish AS gemini_finish_reason,
        block AS gemini_block_reason,
        (error->>'$.error.code')::BIGINT AS gemini_error_code,
        CASE WHEN status != '' THEN coalesce(error->>'$.error.message', status) END AS gemini_error_message,
        {", ".join(f"response.usageMetadata.{m} AS {c}" for m, c in zip(USAGE_MEMBERS, TOKEN_COLUMNS, strict=True))},
        response.modelVersion AS gemini_model_version,
        response.responseId AS gemini_response_id,
        processed_time::TIMESTAMPTZ AS gemini_processed_time
    FROM ({_LINES})"""

_JOINED = f"""
    SELECT prompts.* EXCLUDE (file_row_number),
        {
    ", ".join(
        {
            "gemini_outcome": "coalesce(gemini_outcome, 'missing') AS gemini_outcome",
            "gemini_duplicates": "coalesce(duplicates, 0) AS gemini_duplicates",
        }.get(name, name)
        for name in COLUMNS.names
    )
}
    FROM read_parquet(?, file_row_number = true) AS prompts
    LEFT JOIN (
        SELECT * EXCLUDE (key), key AS row_key, count(*) OVER (PARTITION BY key) - 1 AS duplicates
        FROM ({_ROWS}) QUALIFY row_number() OVER (PARTITION BY key ORDER BY gemini_outcome != 'ok') = 1
    ) ON prompts.key = row_key"""


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--ordered"]
    ordered = "--ordered" in sys.argv
    *prompts, predictions, out = arguments
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    connection.execute(f"SET preserve_insertion_order = {str(ordered).lower()}")
    if prompts:
        query, inputs = _JOINED + (" ORDER BY file_row_number" if ordered else ""), [*prompts, predictions]
    else:
        query, inputs = f"SELECT *, 0::BIGINT AS gemini_duplicates FROM ({_ROWS})", [predictions]
    options = f"FORMAT parquet, COMPRESSION {COMPRESSION}, COMPRESSION_LEVEL {COMPRESSION_LEVEL}"
    if not ordered:
        options += ", ROW_GROUP_SIZE_BYTES '64MB'"
    connection.execute(f"COPY ({query}) TO '{out}' ({options})", inputs)


if __name__ == "__main__":
    main()
