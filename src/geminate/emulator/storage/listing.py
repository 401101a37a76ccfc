"""Pages of names: by prefix, rolled up at a delimiter, at most 1,000 entries each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from geminate.emulator.storage.errors import invalid, not_emulated
from geminate.emulator.storage.preconditions import read_number

_MAX_ENTRIES = 1000
_NOT_EMULATED = ("matchGlob", "filter", "includeFoldersAsPrefixes", "softDeleted", "versions")


class Page(msgspec.Struct):
    """One page.

    Attributes:
        names: Objects.
        prefixes: What the names that are rolled up have in common.
        next_token: What asks for the next page, None on the last.
    """

    names: list[str]
    prefixes: list[str]
    next_token: str | None = None


def list_page(names: Iterable[str], query: Mapping[str, str]) -> Page:
    """The page of the names, which are in order, that the parameters ask for.

    Raises:
        StorageError: 400, a parameter cannot be used.
    """
    for name in _NOT_EMULATED:
        if query.get(name, "false") != "false":
            raise not_emulated(f"it does not list by {name}")
    limit = min(read_number(query, "maxResults") or _MAX_ENTRIES, _MAX_ENTRIES)
    after, page = _decode_token(query.get("pageToken", "")), Page([], [])
    last = ""
    for entry, is_prefix in _iter_entries(names, query):
        if entry <= after:
            continue
        if len(page.names) + len(page.prefixes) == limit:
            page.next_token = base64.urlsafe_b64encode(last.encode()).decode()
            break
        (page.prefixes if is_prefix else page.names).append(entry)
        last = entry
    return page


def _iter_entries(names: Iterable[str], query: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    start, end = query.get("startOffset", ""), query.get("endOffset", "")
    rolled = None
    for name in names:
        if not name.startswith(prefix) or name < start or (end and name >= end):
            continue
        head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        if not found:
            yield name, False
        elif prefix + head + found != rolled:
            rolled = prefix + head + found
            yield rolled, True


def _decode_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise invalid(f"Invalid page token: {token!r}") from None
