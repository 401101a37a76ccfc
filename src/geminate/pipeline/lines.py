"""Request lines without a run: for callers who bring their own way of submitting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from geminate.formats.prompts import Prompts
from geminate.pipeline.building.opening import as_prompts
from geminate.pipeline.building.prompt_media import REHEARSED, PromptMedia, Upload
from geminate.pipeline.building.templates import LineGuard, compile_spec
from geminate.stages.keys import choose_key
from geminate.stages.requests import RequestBlock
from geminate.stages.specs import Spec
from geminate.wire.keys import encode_keys
from geminate.wire.violations import Violation


def build(prompts: Any, spec: Spec, *, key: str | None = None, upload: str | Upload | None = None) -> RequestLines:
    """The request lines of a prompt set, made as they are taken.

    Args:
        prompts: A path or URI or several, anything that hands out Arrow data, or mappings.
        spec: What a request looks like.
        key: The column that holds the key; by default one called ``key``, else keys are made from row numbers.
        upload: Where local media are stored, ``gs://bucket/prefix``; by default they go inline.

    Raises:
        PromptError: The prompts cannot be read.
        SpecError: The spec does not fit them.
    """
    return RequestLines(as_prompts(prompts), spec, key, upload if isinstance(upload, Upload) else Upload(upload))


class RequestLines:
    """An iterable of request lines as bytes, each with its line end, in the order of the prompts.

    Prompts that break a rule have no line; they are in ``violations`` once their place has been passed.

    Attributes:
        violations: What was wrong with prompts passed so far, ``line`` being the row's number from 1.
        notes: What the prompts' author should know of the media passed so far, a sentence each.
    """

    def __init__(self, prompts: Prompts, spec: Spec, key: str | None, upload: Upload = REHEARSED) -> None:
        self._prompts = prompts
        self._spec = spec
        self._upload = upload
        self._key = choose_key(prompts.schema, key)
        self._encoder = compile_spec(spec, self._key.extend_schema(prompts.schema))
        self.violations: list[Violation] = []
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[bytes]:
        for block in self.iter_blocks():
            yield from block.lines.cast(pa.large_binary()).drop_null().to_pylist()

    def iter_blocks(self) -> Iterator[RequestBlock]:
        """The lines as Arrow columns, null where a prompt was rejected; far faster than one by one."""
        self.violations.clear()
        guard = LineGuard() if self._encoder.free_paths else None
        first_row = 0
        resolver = PromptMedia(self._spec, self._encoder, self._upload, self._prompts.locate)
        for record_batch, media in resolver.iter_resolved(self._prompts.iter_record_batches()):
            prompts = self._key.extend(record_batch, first_row)
            block = self._encoder.encode(prompts, encode_keys(self._key.texts(prompts)), media)
            if guard:
                block = guard.filter(block)
            for position, violation in block.violations:
                file, line = self._prompts.locate(first_row + position)
                self.violations.append(replace(violation, file=file, line=line))
            first_row += record_batch.num_rows
            self.notes = resolver.notes
            yield block
        if guard:
            guard.finish()
