"""Whatever a caller calls prompts, opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from geminate.connect import Where, open_store, open_tables
from geminate.formats.prompts import PromptOptions, Prompts, open_prompts
from geminate.ports import ObjectStore, TableStore
from geminate.wire.uris import BQ_QUERY_SCHEME, GS_SCHEME


@dataclass(frozen=True, slots=True)
class Stores:
    """What opens places that are not on this machine, when they are needed; by default with the caller's credentials.

    Attributes:
        where: Who serves them.
    """

    where: Where = field(default_factory=Where)

    def objects(self) -> ObjectStore:
        """The store behind ``gs://``."""
        return open_store(self.where)

    def tables(self) -> TableStore:
        """The store behind ``bq://``."""
        return open_tables(self.where)


DEFAULT_STORES = Stores()


def as_prompts(prompts: Any, options: PromptOptions | None = None, stores: Stores = DEFAULT_STORES) -> Prompts:
    """The prompts, opened if they are not yet; a store is opened only if they are in one.

    Args:
        prompts: Paths or URIs, anything that hands out Arrow data, mappings, or prompts that are open already.
        options: How they are read.
        stores: Opens what ``gs://`` and ``bq://`` URIs are read from.

    Raises:
        PromptError: They cannot be read.
    """
    if isinstance(prompts, Prompts):
        return prompts
    names = prompts if isinstance(prompts, list | tuple) else [prompts]
    uris = [name for name in names if isinstance(name, str)]
    store = stores.objects() if any(uri.startswith(GS_SCHEME) for uri in uris) else None
    tables = stores.tables() if any(uri.startswith(BQ_QUERY_SCHEME) for uri in uris) else None
    return open_prompts(prompts, options=options, store=store, tables=tables)
