"""Reading ahead in a thread, so that reading, computing and writing overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def iter_ahead(values: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same values in the same order, up to ``depth`` of them made ahead in one thread.

    An exception in the thread is raised here, in its place.
    """
    iterator = iter(values)
    with ThreadPoolExecutor(1, "geminate-ahead") as thread:
        ahead = deque(thread.submit(next, iterator, _END) for _ in range(depth))
        while (value := ahead.popleft().result()) is not _END:
            ahead.append(thread.submit(next, iterator, _END))
            yield value  # type: ignore[misc] # what is not the end is a T
