"""Join: predictions of any origin back to their prompts, no run needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa

from geminate.errors import InputError, UsageError
from geminate.formats.line_files import LineFile, find_line_files
from geminate.formats.prompts import PromptOptions
from geminate.formats.record_spool import RecordSpool
from geminate.pipeline.building.opening import DEFAULT_STORES, Stores, as_prompts
from geminate.pipeline.building.templates import read_answer
from geminate.pipeline.predicted.lefts import KEY_NAMES, Left, holds_requests, open_prompt_side, open_request_side
from geminate.pipeline.predicted.predictions import find_predictions, iter_decoded
from geminate.pipeline.written.joined_rows import JoinedRows
from geminate.pipeline.written.media import open_media_folder, with_media_files
from geminate.pipeline.written.outputs import OnStray, OpenRows, RowStream
from geminate.stages.alone import LonePredictions
from geminate.stages.contents import order_contents
from geminate.stages.join import Joiner, JoinOptions
from geminate.stages.reading import ReadOptions
from geminate.stages.specs import Spec
from geminate.wire.lines import iter_line_blocks
from geminate.wire.tables import DEFAULT_PREFIX

By = Literal["auto", "key", "request", "column"]

_PEEKED_LINES = 1000


@dataclass(frozen=True, slots=True)
class JoinSettings:
    """How to join.

    Attributes:
        key: The column that tells prompts apart, and the sibling that brings it back; None for the contract's default.
        by: What predictions are known by. ``auto`` takes the key where lines have one, else the request.
        prefix: What the added columns begin with.
        keep_response: Whether the raw response is kept.
        prompts: How prompts are read.
        content: What is read of the responses beside the answers' text, each into a column of its own: ``thoughts``,
            ``code``, ``citations``, ``grounding``, ``logprobs``, ``safety``.
        media: The folder that inline data goes to, as files named after the keys; None leaves it in the predictions.
    """

    key: str | None = None
    by: By = "auto"
    prefix: str = DEFAULT_PREFIX
    keep_response: bool = False
    prompts: PromptOptions | None = None
    content: Collection[str] = ()
    media: str | Path | None = None


def join(
    prompts: Any, predictions: str | Path | Sequence[str | Path], spec: Spec | None = None, **settings: Any
) -> JoinedRows:
    """The joined rows, made as they are taken: every prompt once, in input order, with its outcome.

    Memory is bounded: what does not fit waits in temporary files.

    Args:
        prompts: A path or URI or several, request lines among them, anything that hands out Arrow data, or mappings.
        predictions: Files, folders or ``gs://`` prefixes of prediction lines, in either dialect, or ``bq://`` tables.
        spec: The spec that made the requests. With it predictions without a key find their prompt, and answers are
            held against the answer schema. Media are read again only where the predictions have no key.
        **settings: The fields of ``JoinSettings``.

    Raises:
        InputError: The predictions are not there, or nothing on them tells whose they are.
        PromptError: The prompts cannot be read.
        SpecError: The spec does not fit them.
        UsageError: The settings contradict each other.
    """
    given = JoinSettings(**settings)
    opened = open_join(prompts, _names(predictions), spec, given)
    return JoinedRows(opened, read_answer(spec) if spec else None, given.prefix)


def read_predictions(
    predictions: str | Path | Sequence[str | Path], spec: Spec | None = None, **settings: Any
) -> JoinedRows:
    """The predictions alone, in file order: their siblings as columns, then what they say.

    Args:
        predictions: Files, folders or ``gs://`` prefixes of prediction lines, in either dialect, or ``bq://`` tables.
        spec: A spec whose answer schema the answers are held against.
        **settings: The fields of ``JoinSettings``.

    Raises:
        InputError: The predictions are not there.
    """
    given = JoinSettings(**settings)
    opened = open_alone(_names(predictions), spec, given)
    return JoinedRows(opened, read_answer(spec) if spec else None, given.prefix)


def open_join(
    prompts: Any,
    predictions: Sequence[str],
    spec: Spec | None,
    settings: JoinSettings,
    stores: Stores = DEFAULT_STORES,
) -> OpenRows:
    """The joined rows, still to be made; what is wrong before the first row is raised here."""
    left = _open_left(prompts, spec, settings, stores)
    files = find_predictions(predictions, stores.objects, stores.tables)
    key_name, files = _find_key(files, left.key_names, settings)
    if key_name is not None and left.by_key is not None:
        left = left.by_key()
    fingerprints = _wanted_fingerprints(left, key_name, settings)
    reading = ReadOptions(
        key_name=key_name,
        fingerprints=fingerprints,
        keep_response=settings.keep_response,
        contents=order_contents(settings.content, with_media=settings.media is not None),
        answer=read_answer(spec) if spec else None,
    )
    options = JoinOptions(reading=reading, prefix=settings.prefix)
    return _with_media(partial(_open_joined, left, files, options), settings, left.key_names[0])


def open_alone(
    predictions: Sequence[str], spec: Spec | None, settings: JoinSettings, stores: Stores = DEFAULT_STORES
) -> OpenRows:
    """The predictions alone, still to be read."""
    files = find_predictions(predictions, stores.objects, stores.tables)
    names = (settings.key,) if settings.key else KEY_NAMES
    key_name, files = _find_key(files, names, settings)
    reading = ReadOptions(
        key_name=key_name,
        keep_response=settings.keep_response,
        contents=order_contents(settings.content, with_media=settings.media is not None),
        with_siblings=True,
        answer=read_answer(spec) if spec else None,
    )
    opened = partial(_open_lone, files, JoinOptions(reading=reading, prefix=settings.prefix))
    return _with_media(opened, settings, key_name, keys_repeat=True)


def _with_media(opened: OpenRows, settings: JoinSettings, key: str | None, *, keys_repeat: bool = False) -> OpenRows:
    if settings.media is None:
        return opened
    return with_media_files(opened, open_media_folder(settings.media, key, keys_repeat=keys_repeat), settings.prefix)


def _open_joined(left: Left, files: list[LineFile], options: JoinOptions, on_stray: OnStray) -> RowStream:
    spool = RecordSpool()
    joiner = Joiner(left.schema, options, spool, on_stray, left.reread)

    def iter_rows() -> Iterator[pa.RecordBatch]:
        with spool:
            for batch in left.iter_batches():
                joiner.add_prompts(batch.columns, batch.keys, batch.fingerprints)
            for decoded in iter_decoded(files, options.reading):
                joiner.add_predictions(decoded)
            yield from joiner.iter_rows()

    return RowStream(joiner.schema, joiner.report, iter_rows())


def _open_lone(files: list[LineFile], options: JoinOptions, on_stray: OnStray) -> RowStream:
    spool = RecordSpool()
    lone = LonePredictions(options, spool, on_stray)
    for decoded in iter_decoded(files, options.reading):
        lone.add_predictions(decoded)

    def iter_rows() -> Iterator[pa.RecordBatch]:
        with spool:
            yield from lone.iter_rows()

    return RowStream(lone.schema, lone.report, iter_rows())


def _open_left(prompts: Any, spec: Spec | None, settings: JoinSettings, stores: Stores) -> Left:
    files = _request_files(prompts, stores)
    if files:
        return open_request_side(files, settings.key)
    opened = as_prompts(prompts, settings.prompts, stores)
    tells_prompts_apart = spec is not None and spec.columns and settings.by not in {"key", "column"}
    return open_prompt_side(opened, settings.key, spec if tells_prompts_apart else None)


def _request_files(prompts: Any, stores: Stores) -> list[LineFile]:
    """The files where the prompts are request lines, none where they are anything else."""
    names = [prompts] if isinstance(prompts, str | Path) else prompts
    if not isinstance(names, list | tuple) or not all(isinstance(name, str | Path) for name in names):
        return []
    texts = [str(name) for name in names]
    if not texts or not all(".jsonl" in name for name in texts):
        return []
    try:
        files = find_line_files(texts, stores.objects)
    except InputError:
        return []  # The reader of prompts says better what is missing.
    return files if holds_requests(files[0]) else []


def _find_key(
    files: list[LineFile], names: tuple[str, ...], settings: JoinSettings
) -> tuple[str | None, list[LineFile]]:
    """The sibling that is the key, None to join by request; and the files, a stream among them put back together."""
    if settings.by == "request":
        return None, files
    first, members = _peek(files[0])
    candidates = names if settings.by != "column" or settings.key is None else (settings.key,)
    found = next((name for name in candidates if name in members), None)
    if found is None and settings.by in {"key", "column"}:
        raise InputError(
            f"the predictions have no member {' or '.join(map(repr, candidates))}",
            where=first.name,
            remedy="name one with --key, or join by request",
        )
    return found, [first, *files[1:]]


def _peek(file: LineFile) -> tuple[LineFile, set[str]]:
    """The file, readable from its start once more, and the members of its first lines."""
    pieces = file.iter_pieces()
    taken = list(islice(pieces, 1))
    members: set[str] = set()
    for block in iter_line_blocks(taken):
        for line in block.lines[:_PEEKED_LINES]:
            try:
                members |= msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
    # The first reading goes on with what was peeked at; another, after damage, begins anew.
    begun = iter([chain(taken, pieces)])
    return replace(file, iter_pieces=lambda: next(begun, None) or file.iter_pieces()), members


def _wanted_fingerprints(left: Left, key_name: str | None, settings: JoinSettings) -> Literal["none", "keyless", "all"]:
    if left.has_fingerprints and settings.by in {"auto", "request"}:
        return "all"
    if key_name is None:
        raise UsageError(
            "the predictions have no key, and without a spec nobody knows the prompts' requests",
            remedy="give the spec, give the request lines as --inputs, or name the key with --key",
        )
    return "none"


def _names(predictions: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(predictions)] if isinstance(predictions, str | Path) else [str(name) for name in predictions]
