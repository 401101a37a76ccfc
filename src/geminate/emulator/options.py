"""How an emulator shall behave."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geminate.emulator.limits import LIMITS, Limits
from geminate.emulator.rows import LineLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """How an emulator shall behave; the defaults are for demonstrations, which should take a second.

    Attributes:
        port: The port on 127.0.0.1; 0 for a free one.
        pending_s: How long a job waits before it runs.
        row_latency_s: How long each row takes; 0 for as fast as can be.
        rows_per_move: How many rows a job does before it looks whether it was cancelled.
        answerer: What stands in for the model: ``module:function`` or a function of a request, or of a request and its
            siblings, that returns a text, a whole response or ``{"error": …}``; None for the built-in one. A raised
            ``RowError`` is the row's failure, and so is any other exception.
        faults: What shall go wrong: a fault script or a path to one; see ``geminate.emulator.faults``.
        line_layout: The order of a prediction line's members.
        models: The publisher models that exist; empty for all.
        tuned_model_names: Display names of tuned models by resource name; they name the output directories.
        limits: What the service allows.
        storage_endpoint: The base URL of the Cloud Storage server that jobs use; None for the emulator's own buckets.
        bigquery_endpoint: The base URL of the BigQuery server that jobs use; None for the emulator's own tables.
        new_dataset_location: Where a BigQuery dataset that is not there is made on first use; None to have it missing.
        seed: Makes the job numbers, and with them the order of the rows, the same each time; None for new ones.
        manual: Whether jobs move only when ``Emulator.step`` is called, or its like over HTTP.
        clock: The time, in seconds since the epoch.
    """

    port: int = 0
    pending_s: float = 0.02
    row_latency_s: float = 0
    rows_per_move: int = 500
    answerer: str | Callable[..., Any] | None = None
    faults: Mapping[str, Any] | str | Path | None = None
    line_layout: LineLayout = "since-2025-12"
    models: frozenset[str] = frozenset()
    tuned_model_names: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = LIMITS
    storage_endpoint: str | None = None
    bigquery_endpoint: str | None = None
    new_dataset_location: str | None = None
    seed: int | None = None
    manual: bool = False
    clock: Callable[[], float] = time.time
