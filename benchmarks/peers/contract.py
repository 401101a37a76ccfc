"""What every join peer has to deliver: the joined rows' columns and how an outcome follows from a response.

Written down a second time on purpose: a peer that borrowed Geminate's own code would be no check of it.
"""

from __future__ import annotations

import pyarrow as pa

COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3
"""Of the Parquet that every command writes; Geminate's default."""

COLUMNS = pa.schema(
    [
        ("gemini_outcome", pa.string()),
        ("gemini_text", pa.string()),
        ("gemini_finish_reason", pa.string()),
        ("gemini_block_reason", pa.string()),
        ("gemini_error_code", pa.int64()),
        ("gemini_error_message", pa.string()),
        ("gemini_duplicates", pa.int64()),
        ("gemini_prompt_tokens", pa.int64()),
        ("gemini_output_tokens", pa.int64()),
        ("gemini_thought_tokens", pa.int64()),
        ("gemini_cached_tokens", pa.int64()),
        ("gemini_tool_tokens", pa.int64()),
        ("gemini_total_tokens", pa.int64()),
        ("gemini_model_version", pa.string()),
        ("gemini_response_id", pa.string()),
        ("gemini_processed_time", pa.timestamp("us", "UTC")),
    ]
)

USAGE_MEMBERS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
)
"""In the order of the columns."""

TOKEN_COLUMNS = tuple(name for name in COLUMNS.names if name.endswith("_tokens"))

BLOCKED = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
)

OUTCOME_BY_FINISH = {"MAX_TOKENS": "truncated", **dict.fromkeys(BLOCKED, "blocked")}
"""For finish reasons other than STOP; what is not here is ``aborted``."""
