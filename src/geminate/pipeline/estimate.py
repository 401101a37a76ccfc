"""Estimate: what requests will use and cost, before anybody pays for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from geminate.ledger import Attempt
from geminate.pipeline.building.opening import as_prompts
from geminate.pipeline.building.shard_lines import ShardLines
from geminate.pipeline.lines import RequestLines
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.pipeline.run_folder.folder import SPEC_NAME, Manifest, RunFolder
from geminate.pipeline.usage import read_history
from geminate.stages.estimates import Estimate, Estimator, Usage
from geminate.stages.specs import Spec
from geminate.wire.limits import LIMITS


def estimate(prompts: Any, spec: Spec, *, key: str | None = None, history: Any = None) -> Estimate:
    """What the prompts' requests will use and cost; nothing is written.

    Memory is that of a few record batches.

    Args:
        prompts: A path or URI or several, anything that hands out Arrow data, or mappings.
        spec: What a request looks like.
        key: The column that holds the key.
        history: A finished run's folder, or joined rows as a path or Arrow data, whose usage takes the place of
            assumptions.

    Raises:
        InputError: The history tells no usage.
        PromptError: The prompts cannot be read.
        SpecError: The spec does not fit them.
    """
    usage = None if history is None else read_history(history, spec)
    return estimate_lines(RequestLines(as_prompts(prompts), spec, key), spec.model, usage)


def estimate_lines(lines: RequestLines, model: str, usage: Usage | None = None, notify: Notify = silent) -> Estimate:
    """What request lines in the making will use and cost."""
    estimator = Estimator(model, _billing_days(), usage)
    rejected = rows = 0
    for block in lines.iter_blocks():
        estimator.add(block.lines.cast(pa.large_binary()).drop_null().to_pylist())
        rejected += block.lines.null_count
        rows += len(block.lines)
        notify(Progress("estimate", rows, None, "prompts"))
    return estimator.estimate(rejected)


def estimate_run(folder: RunFolder, manifest: Manifest, history: Any = None, notify: Notify = silent) -> Estimate:
    """What a run's request lines will use and cost, each sent once; ``history`` as for ``estimate``."""
    attempts = [Attempt("", shard.name, 1, "planned") for shard in manifest.shards]
    return estimate_attempts(folder, manifest, attempts, history, notify)


def estimate_attempts(
    folder: RunFolder, manifest: Manifest, attempts: Iterable[Attempt], history: Any, notify: Notify
) -> Estimate:
    """What the request lines of a run's attempts will use and cost. Memory is that of a few MiB of lines."""
    usage = None
    if history is not None:
        usage = read_history(history, Spec.from_document(folder.read_json(SPEC_NAME)))
    estimator = Estimator(manifest.model, _billing_days(), usage)
    rows = 0
    lines = ShardLines(folder, manifest)
    for attempt in attempts:
        for block in lines.iter_blocks(attempt):
            estimator.add(block.lines)
            rows += len(block.lines)
            notify(Progress("estimate", rows, None, "requests"))
    return estimator.estimate(manifest.prompts.rejected)


def _billing_days() -> tuple[str, str]:
    """Today, and the last day on which a job made today may still run."""
    today: date = datetime.now(UTC).date()
    last = today + timedelta(hours=LIMITS.max_queue_hours + LIMITS.max_run_hours)
    return today.isoformat(), last.isoformat()
