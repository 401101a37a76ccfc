"""Whatever a caller calls prompts, opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from geminate.connect import Where, open_store
from geminate.formats.prompts import PromptOptions, Prompts, open_prompts
from geminate.ports import ObjectStore
from geminate.wire.uris import GS_SCHEME

OpenStore = Callable[[], ObjectStore]


def default_store() -> ObjectStore:
    """Cloud Storage, with the caller's own credentials."""
    return open_store(Where())


def as_prompts(prompts: Any, options: PromptOptions | None = None, store: OpenStore = default_store) -> Prompts:
    """The prompts, opened if they are not yet; a store is opened only if they are in one.

    Args:
        prompts: Paths or URIs, anything that hands out Arrow data, mappings, or prompts that are open already.
        options: How they are read.
        store: Opens what ``gs://`` URIs are read from.

    Raises:
        PromptError: They cannot be read.
    """
    if isinstance(prompts, Prompts):
        return prompts
    names = prompts if isinstance(prompts, list | tuple) else [prompts]
    remote = any(isinstance(name, str) and name.startswith(GS_SCHEME) for name in names)
    return open_prompts(prompts, options=options, store=store() if remote else None)
