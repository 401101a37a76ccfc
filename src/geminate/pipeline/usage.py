"""What earlier predictions used: the history that an estimate can rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geminate.connect import open_outside
from geminate.errors import InputError
from geminate.ledger import Ledger
from geminate.pipeline.building.opening import as_prompts
from geminate.pipeline.building.prompt_media import REHEARSED, PromptMedia
from geminate.pipeline.building.templates import compile_spec
from geminate.pipeline.collect import CollectOptions, Collector
from geminate.pipeline.run_folder.folder import SPEC_NAME, RunFolder, is_run
from geminate.pipeline.submitting.target import settle_target
from geminate.pipeline.written.outputs import drop
from geminate.stages.estimates import RequestMeter, Usage, UsageMeter
from geminate.stages.report import JoinReport
from geminate.stages.specs import Spec

_PROMPT_TOKENS = "prompt_tokens"


def read_history(history: Any, spec: Spec) -> Usage:
    """What a finished run's predictions used, or joined rows.

    Args:
        history: The folder of a run; or joined rows: a path, or Arrow data.
        spec: What makes requests of joined rows' prompts; a run brings its own.

    Raises:
        InputError: It tells no usage.
        SpecError: The spec does not fit the prompts.
        UsageError: The run's jobs have not ended.
    """
    if isinstance(history, str | Path) and is_run(history):
        return _measure_run(RunFolder(Path(history)))
    rows = as_prompts(history)
    where = ", ".join(source.uri for source in rows.identity)
    joined = _Joined(rows.schema, rows.iter_record_batches(), where, rows.locate)
    return _measure_rows(joined, spec)


def _measure_run(folder: RunFolder) -> Usage:
    spec = Spec.from_document(folder.read_json(SPEC_NAME))
    with Ledger(folder.path) as ledger:
        where = settle_target(ledger, None).where
        with open_outside(where, folder.emulator_path) as outside:
            shards = Collector(
                folder, folder.read_manifest(), ledger, outside.store, CollectOptions(), outside.tables
            ).shard_joins()
            rows = (record_batch for shard in shards for record_batch in shard.iter_rows(drop, JoinReport()))
            # Which of several files a prompt came from is not kept; media are looked for beside the first one.
            source = folder.read_manifest().prompts.identity[0].uri
            joined = _Joined(shards[0].schema(), rows, str(folder.path), lambda row: (source, row))
            usage = _measure_rows(joined, spec)
    return replace(usage, emulated=where.emulate)


@dataclass(frozen=True, slots=True)
class _Joined:
    """Joined rows, what errors call them, and where each was read."""

    schema: pa.Schema
    rows: Iterable[pa.RecordBatch]
    where: str
    locate: Callable[[int], tuple[str, int]]


def _measure_rows(joined: _Joined, spec: Spec) -> Usage:
    """What joined rows used: their prompts become requests again, whose estimate is held against it."""
    prefix = _find_prefix(joined.schema, joined.where)
    encoder, meter, usage = compile_spec(spec, joined.schema), RequestMeter(spec.model), UsageMeter()
    resolver = PromptMedia(spec, encoder, REHEARSED, joined.locate)
    for record_batch, media in resolver.iter_resolved(joined.rows):
        lines = encoder.encode(record_batch, pa.array(["history"] * record_batch.num_rows), media).lines
        prompt = _counts(record_batch, f"{prefix}{_PROMPT_TOKENS}")
        output = np.nan_to_num(_counts(record_batch, f"{prefix}output_tokens"))
        output += np.nan_to_num(_counts(record_batch, f"{prefix}thought_tokens"))
        cached = np.nan_to_num(_counts(record_batch, f"{prefix}cached_tokens"))
        told = ~np.isnan(prompt) & lines.is_valid().to_numpy(zero_copy_only=False)
        sent = lines.filter(pa.array(told)).cast(pa.large_binary()).to_pylist()
        usage.add(meter.measure(sent).likely_input, prompt[told], output[told], cached[told])
    measured = usage.usage()
    if measured is None:
        raise InputError("no row tells its usage", where=joined.where, remedy="give rows that have predictions")
    return measured


def _find_prefix(schema: pa.Schema, where: str) -> str:
    found: list[str] = [name for name in schema.names if name.endswith(_PROMPT_TOKENS)]
    if found:
        return found[-1].removesuffix(_PROMPT_TOKENS)
    raise InputError(
        f"no column of {_PROMPT_TOKENS}", where=where, remedy="give joined rows, or the folder of a finished run"
    )


def _counts(rows: pa.RecordBatch, name: str) -> npt.NDArray[np.float64]:
    """The column as numbers, NaN where there is none."""
    if name not in rows.schema.names:
        return np.full(rows.num_rows, np.nan)
    column = rows.column(name)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(pc.equal(column, ""), None, column)
    try:
        counts: npt.NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise InputError(f"column {name!r} holds no numbers", remedy="give joined rows as they were written") from error
    return counts
