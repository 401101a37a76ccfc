"""Peer: polars with an explicit schema, lazily: ``[--ndjson] [PROMPTS.parquet] PREDICTIONS.jsonl OUT.parquet``.

Lines are read with ``scan_lines`` and ``json_decode``, which took a fifth of the time of ``scan_ndjson`` where rows are
small (polars 2.1); ``--ndjson`` takes ``scan_ndjson``, the obvious way.
"""

from __future__ import annotations

import sys

import polars as pl
from contract import COLUMNS, COMPRESSION, COMPRESSION_LEVEL, OUTCOME_BY_FINISH, TOKEN_COLUMNS, USAGE_MEMBERS

_PART = pl.Struct({"text": pl.String, "thought": pl.Boolean})
_RESPONSE = pl.Struct(
    {
        "candidates": pl.List(
            pl.Struct({"content": pl.Struct({"parts": pl.List(_PART)}), "finishReason": pl.String}),
        ),
        "promptFeedback": pl.Struct({"blockReason": pl.String}),
        "modelVersion": pl.String,
        "responseId": pl.String,
        "usageMetadata": pl.Struct(dict.fromkeys(USAGE_MEMBERS, pl.Int64)),
    }
)
_LINE = {"key": pl.String, "status": pl.String, "response": _RESPONSE, "processed_time": pl.String}
_USELESS = 1 << 40  # Ranks a line behind every usable one of its key.
_ERROR = pl.Struct({"error": pl.Struct({"code": pl.Int64, "message": pl.String})})


def scan_lines(path: str, *, ndjson: bool) -> pl.LazyFrame:
    if ndjson:
        return pl.scan_ndjson(path, schema=_LINE)
    line = pl.col("line").str.json_decode(pl.Struct(_LINE))
    return pl.scan_lines(path, name="line").select(line.struct.unnest())


def read_predictions(lines: pl.LazyFrame) -> pl.LazyFrame:
    response = pl.col("response").struct
    candidate = response.field("candidates").list.first().struct
    answers = pl.element().filter(~pl.element().struct.field("thought").fill_null(value=False)).struct.field("text")
    parts = candidate.field("content").struct.field("parts").list.eval(answers)
    usage = response.field("usageMetadata").struct
    failed = pl.col("status") != ""
    error = (
        pl.when(failed).then(pl.col("status").str.extract(r"(?s)(\{.*)")).str.json_decode(_ERROR).struct.field("error")
    )
    return lines.select(
        "key",
        pl.when(parts.list.drop_nulls().list.len() > 0).then(parts.list.join("")).alias("gemini_text"),
        candidate.field("finishReason").alias("gemini_finish_reason"),
        response.field("promptFeedback").struct.field("blockReason").alias("gemini_block_reason"),
        error.struct.field("code").alias("gemini_error_code"),
        pl.when(failed).then(error.struct.field("message").fill_null(pl.col("status"))).alias("gemini_error_message"),
        *(usage.field(member).alias(name) for member, name in zip(USAGE_MEMBERS, TOKEN_COLUMNS, strict=True)),
        response.field("modelVersion").alias("gemini_model_version"),
        response.field("responseId").alias("gemini_response_id"),
        pl.col("processed_time").str.to_datetime("%+", time_unit="us", time_zone="UTC").alias("gemini_processed_time"),
    ).with_columns(_outcome().alias("gemini_outcome"), pl.lit(0, pl.Int64).alias("gemini_duplicates"))


def pick_lines(predictions: pl.LazyFrame) -> pl.LazyFrame:
    """One line for each key, the first that is usable, with the number of the others."""
    numbered = predictions.drop("gemini_duplicates").with_row_index("line")
    rank = pl.col("line").cast(pl.Int64) + pl.when(pl.col("gemini_outcome") == "ok").then(0).otherwise(_USELESS)
    best = numbered.group_by("key").agg(
        (rank.min() % _USELESS).cast(pl.UInt32).alias("line"),
        (pl.len().cast(pl.Int64) - 1).alias("gemini_duplicates"),
    )
    return numbered.join(best, on=["key", "line"]).drop("line")


def main() -> None:
    *prompts, predictions, out = [argument for argument in sys.argv[1:] if argument != "--ndjson"]
    rows = read_predictions(scan_lines(predictions, ndjson="--ndjson" in sys.argv))
    if prompts:
        inputs = pl.scan_parquet(prompts[0])
        rows = inputs.join(pick_lines(rows), on="key", how="left", maintain_order="left").with_columns(
            pl.col("gemini_outcome").fill_null("missing"), pl.col("gemini_duplicates").fill_null(0)
        )
        rows = rows.select(*inputs.collect_schema().names(), *COLUMNS.names)
    else:
        rows = rows.select("key", *COLUMNS.names)
    rows.sink_parquet(out, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL)


def _outcome() -> pl.Expr:
    finish = pl.col("gemini_finish_reason")
    return (
        pl.when(pl.col("gemini_error_message").is_not_null())
        .then(pl.lit("failed"))
        .when(pl.col("gemini_block_reason").is_not_null())
        .then(pl.lit("blocked"))
        .when(finish != "STOP")
        .then(finish.replace_strict(OUTCOME_BY_FINISH, default="aborted"))
        .when(pl.col("gemini_text") != "")
        .then(pl.lit("ok"))
        .otherwise(pl.lit("empty"))
    )


if __name__ == "__main__":
    main()
