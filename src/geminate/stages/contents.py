"""The columns for what a response holds beside its answer's text: none of them unless it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import pyarrow as pa
from msgspec import Raw

from geminate.errors import UsageError
from geminate.wire.content_types import CONTENT_TYPES
from geminate.wire.contents import read_contents

MEDIA = "media"
"""The content that goes to files, so that a name alone does not ask for it."""

NAMED_CONTENTS = tuple(name for name in CONTENT_TYPES if name != MEDIA)
"""What can be asked for by name."""


def order_contents(names: Iterable[str], *, with_media: bool = False) -> tuple[str, ...]:
    """The contents asked for, each once, in the order of their columns.

    Raises:
        UsageError: A name is none of ``NAMED_CONTENTS``.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name == MEDIA:
            raise UsageError("media go to files", remedy="name their folder with --media, in Python media=")
        if name not in NAMED_CONTENTS:
            near = difflib.get_close_matches(str(name), NAMED_CONTENTS, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"use some of {', '.join(NAMED_CONTENTS)}"
            raise UsageError(f"predictions have no content {name!r}", remedy=remedy)
    return tuple(name for name in CONTENT_TYPES if name in wanted or (name == MEDIA and with_media))


def content_columns(responses: Sequence[Raw], contents: Sequence[str]) -> dict[str, pa.Array]:
    """The columns by name, one value for each response; null for what a response does not hold."""
    values = [read_contents(response, contents) for response in responses]
    return {name: pa.array([value[name] for value in values], CONTENT_TYPES[name]) for name in contents}
