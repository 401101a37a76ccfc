"""Decoding beside the caller: in two threads, and on many cores in worker processes, where there is enough of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from types import TracebackType
from typing import Any, Self

from geminate.errors import GeminateError
from geminate.stages.predictions import DecodedBlock, decode_block
from geminate.stages.reading import ReadOptions
from geminate.wire.lines import LineBlock

LARGE_BYTES = 64 << 20
"""From here on worker processes are worth their start, which takes about as long as decoding this much."""

_THREADS = 2
"""Where there are no workers. More gain little, since about half of the decoding holds the interpreter's lock."""

_AHEAD = 2  # Blocks that wait at each worker, so that none is idle while the caller is busy.


FEWEST_CORES = 4
"""Below it, workers take from the caller the core on which it splits lines and joins: two of them made it slower."""


def count_workers(total_bytes: int) -> int:
    """How many worker processes are worth it for that much: one for each core but the caller's, or none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores - 1 if cores >= FEWEST_CORES and total_bytes >= LARGE_BYTES else 0


class DecodeWorkers:
    """Worker processes that decode blocks of lines, or else two threads; use it in a ``with`` block.

    The processes are started afresh, not forked, and do not import the caller's main module: they are safe beside
    threads and in scripts without a main guard. Options that cannot travel to another process are used in this one.

    Args:
        reading: What is to be read.
        count: How many processes; with none, threads of this one decode.
    """

    def __init__(self, reading: ReadOptions, count: int) -> None:
        self._reading = reading
        self._workers: list[_Worker] = []
        self._threads = ThreadPoolExecutor(_THREADS, "geminate-decode")
        with suppress(pickle.PicklingError, AttributeError, TypeError):
            self._begin(pickle.dumps(reading), count)

    def _begin(self, options: bytes, count: int) -> None:
        """Nothing; there are that many processes, or none, where they make no sense of the options or have no room."""
        try:
            for _ in range(count):
                self._workers.append(_Worker())
            answers = [worker.begin(options) for worker in self._workers]
        except OSError:
            answers = [False]
        except BaseException:
            self.close()
            raise
        if not all(answers):
            self._end_workers()

    @property
    def process_ids(self) -> list[int]:
        """The processes, none where this one decodes."""
        return [worker.process.pid for worker in self._workers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing; the processes and threads have ended."""
        self._threads.shutdown(cancel_futures=True)
        self._end_workers()

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def iter_decoded(self, blocks: Iterable[LineBlock], source: str) -> Iterator[DecodedBlock]:
        """The same as ``iter_prediction_batches``, in the same order.

        Memory is that of a few blocks for each worker.

        Raises:
            GeminateError: A worker process ended before its time.
        """
        waiting: deque[tuple[LineBlock, Future[DecodedBlock]]] = deque()
        for block, submit in zip(blocks, cycle(self._submitters()), strict=False):
            waiting.append((block, submit(block)))
            if len(waiting) > _AHEAD * max(len(self._workers), 1):
                yield _finished(*waiting.popleft(), source)
        while waiting:
            yield _finished(*waiting.popleft(), source)

    def _submitters(self) -> list[Callable[[LineBlock], Future[DecodedBlock]]]:
        if self._workers:
            return [worker.submit for worker in self._workers]
        return [lambda block: self._threads.submit(decode_block, block, self._reading)]


def _finished(block: LineBlock, future: Future[DecodedBlock], source: str) -> DecodedBlock:
    return replace(future.result(), source=source, block=block)


class _Worker:
    """One process and the thread that talks to it: a block there, a decoded block back, in turn."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", "from geminate.pipeline.predicted.workers import serve; serve()"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - Our own.
        self._there: Any = self.process.stdin
        self._back: Any = self.process.stdout
        self._thread = ThreadPoolExecutor(1, "geminate-decode")

    def begin(self, options: bytes) -> bool:
        """Whether the process could make sense of the options."""
        try:
            return self._ask(options) is True
        except GeminateError:
            return False

    def submit(self, block: LineBlock) -> Future[DecodedBlock]:
        """The decoded block, later."""
        return self._thread.submit(self._ask, block)

    def end(self) -> None:
        """Nothing; the process has ended."""
        self._thread.shutdown(cancel_futures=True)
        with suppress(OSError):
            self._there.close()
        self._back.close()
        self.process.wait()

    def _ask(self, message: object) -> Any:
        try:
            _send(self._there, message)
            return pickle.load(self._back)  # noqa: S301 - From our own process.
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise GeminateError("a worker process ended before its time", remedy="give it more memory") from error


def _send(pipe: Any, message: object) -> None:
    pickle.dump(message, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def serve() -> None:
    """Nothing; decodes blocks from the standard input to the standard output until the input ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What an imported module prints is not for the caller's ears.
    try:
        options = pickle.load(source)  # noqa: S301 - From the process that started this one.
    except EOFError:
        return  # It gave up before it asked anything.
    try:
        reading = pickle.loads(options)  # noqa: S301 - The same.
    except Exception:  # noqa: BLE001 - Whatever unpickling raises, the caller then decodes by itself.
        _send(sink, message=False)
        return
    _send(sink, message=True)
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            _send(sink, decode_block(pickle.load(source), reading))  # noqa: S301 - The same.
