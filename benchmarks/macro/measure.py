"""One command as a child process: wall time, CPU time, and the peak of its memory.

This module and its caller load nothing large: Linux hands a parent's peak memory on to the child that it starts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_INTERVAL_S = 0.02
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run took.

    Attributes:
        wall_s: From start to end.
        cpu_s: User and system time, of the process and of all it waited for.
        peak_rss_bytes: The larger of ``wait4``'s and, where the command has processes of its own, the largest sum
            over them that sampling saw; pages they share count more than once.
        event_s: When the event that was watched for happened, None if it did not.
        exit_code: Negative after a signal, None where the run was stopped for its time.
        stderr: The end of what it said.
    """

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    event_s: float | None
    exit_code: int | None
    stderr: str


def measure(argv: list[str], max_s: float, event: Callable[[], bool] | None = None) -> Measurement:
    """The measurement of one run, stopped after ``max_s``; ``event`` is asked now and then until it is true."""
    with tempfile.TemporaryFile() as errors:
        os.sync()  # So that nobody pays for another's writes.
        start = time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        watch = _Watch(process.pid, start, max_s, event)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)  # It is reaped; subprocess must not ask again.
        errors.seek(0)
        stderr = errors.read()[-2000:].decode(errors="replace")
    return Measurement(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_rss_bytes=max(usage.ru_maxrss * _RSS_UNIT, watch.peak_tree_bytes),
        event_s=watch.event_s,
        exit_code=None if watch.stopped_it else process.returncode,
        stderr=stderr,
    )


class _Watch(threading.Thread):
    """Samples the memory of the command's process tree, looks out for the event, and stops it when its time is up."""

    def __init__(self, pid: int, start: float, max_s: float, event: Callable[[], bool] | None) -> None:
        super().__init__(daemon=True)
        self._pid, self._start, self._max_s, self._happened = pid, start, max_s, event
        self._ended = threading.Event()
        self.peak_tree_bytes = 0
        self.event_s: float | None = None
        self.stopped_it = False

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE_INTERVAL_S):
            elapsed_s = time.perf_counter() - self._start
            tree = _process_tree(self._pid)
            if len(tree) > 1:
                self.peak_tree_bytes = max(self.peak_tree_bytes, sum(map(_resident_bytes, tree)))
            if self._happened and self.event_s is None and self._happened():
                self.event_s = elapsed_s
            if elapsed_s > self._max_s and not self.stopped_it:
                self.stopped_it = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _process_tree(pid: int) -> list[int]:
    """The process and its descendants; the process alone where the system has no /proc."""
    tree = [pid]
    for parent in tree:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                tree += map(int, (task / "children").read_text().split())
    return tree


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
