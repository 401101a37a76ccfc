"""Reading ahead in a thread, so that reading, computing and writing overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()


def iter_ahead(values: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """The same values in the same order, up to ``depth`` of them made ahead in one thread.

    An exception in the thread is raised here, in its place. Closed early, it waits for the value that is being made,
    and closes what makes them.
    """
    iterator = iter(values)
    thread = ThreadPoolExecutor(1, "geminate-ahead")
    try:
        ahead = deque(thread.submit(next, iterator, _END) for _ in range(depth))
        while (value := ahead.popleft().result()) is not _END:
            ahead.append(thread.submit(next, iterator, _END))
            yield value  # type: ignore[misc] # what is not the end is a T
    finally:
        thread.shutdown(cancel_futures=True)
        if isinstance(iterator, Generator):
            iterator.close()


def iter_begun_ahead(openers: Sequence[Callable[[], Iterator[T]]], depth: int = 1) -> Iterator[Iterator[T]]:
    """What each opener opens, in order; up to ``depth`` of the next ones have their first value fetched meanwhile.

    Each is to be taken, or left, before the next. What an opener or its first value raises comes when it is taken.
    """
    with ThreadPoolExecutor(depth, "geminate-begin") as threads:
        begun: deque[_Begun[T]] = deque()
        try:
            for place in range(len(openers)):
                for opener in openers[place + len(begun) : place + 1 + depth]:
                    begun.append(_Begun(opener, threads))
                with closing(begun.popleft()) as current:
                    yield current.iter_values()
        finally:
            for each in begun:
                each.close()


class _Begun(Generic[T]):
    """An iterator whose first value is fetched in a thread."""

    def __init__(self, opener: Callable[[], Iterator[T]], threads: ThreadPoolExecutor) -> None:
        self._opener = opener
        self._values: Iterator[T] = iter(())
        self._first = threads.submit(self._fetch)

    def _fetch(self) -> list[T]:
        self._values = self._opener()
        return list(islice(self._values, 1))

    def iter_values(self) -> Iterator[T]:
        yield from self._first.result()
        yield from self._values

    def close(self) -> None:
        if not self._first.cancel():
            wait([self._first])
        if isinstance(self._values, Generator):
            self._values.close()
