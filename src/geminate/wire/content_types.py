"""The Arrow types of what a response holds beside its answer's text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

CODE_RUN_TYPE = pa.struct({"language": pa.string(), "code": pa.string(), "outcome": pa.string(), "output": pa.string()})

CONTENT_TYPES: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "thoughts": pa.string(),
        "code": pa.list_(CODE_RUN_TYPE),
        "citations": pa.list_(
            pa.struct(
                {
                    "start_index": pa.int64(),
                    "end_index": pa.int64(),
                    "uri": pa.string(),
                    "title": pa.string(),
                    "license": pa.string(),
                    "publication_date": pa.string(),
                }
            )
        ),
        "grounding": pa.struct(
            {
                "queries": pa.list_(pa.string()),
                "sources": pa.list_(pa.struct({"uri": pa.string(), "title": pa.string(), "domain": pa.string()})),
                "supports": pa.list_(
                    pa.struct(
                        {
                            "text": pa.string(),
                            "part_index": pa.int64(),
                            "start_index": pa.int64(),
                            "end_index": pa.int64(),
                            "source_indices": pa.list_(pa.int64()),
                        }
                    )
                ),
            }
        ),
        "logprobs": pa.struct(
            {
                "avg_logprobs": pa.float64(),
                "tokens": pa.list_(pa.struct({"token": pa.string(), "log_probability": pa.float64()})),
            }
        ),
        "safety": pa.list_(
            pa.struct(
                {
                    "category": pa.string(),
                    "probability": pa.string(),
                    "blocked": pa.bool_(),
                    "severity": pa.string(),
                    "scores": pa.struct({"probability": pa.float64(), "severity": pa.float64()}),
                }
            )
        ),
        "media": pa.list_(pa.struct({"mime_type": pa.string(), "data": pa.large_binary()})),
    }
)
"""What can be asked for, in the order of its columns, and its Arrow type."""

MEDIA_FILES_TYPE = pa.list_(pa.struct({"path": pa.string(), "mime_type": pa.string(), "size_bytes": pa.int64()}))
"""The type of ``media`` once it has been written to files."""
