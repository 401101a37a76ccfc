"""Moves all unfinished jobs on, in one thread or when told to."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass

from geminate.emulator.jobs import FAILED, TERMINAL, Job
from geminate.emulator.statuses import SYSTEM_ERROR, Status
from geminate.emulator.work import Shop, iter_moves

# The clock may be the user's and run at its own speed, so waiting is done in short naps.
_NAP_S = 0.02


@dataclass(slots=True)
class _Task:
    moves: Generator[float, None, None]
    due: float = 0
    is_woken: bool = False


class Worker:
    """The jobs under way.

    Args:
        shop: What they share.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._tasks: dict[str, _Task] = {}
        self._changed = threading.Condition()
        self._moving = threading.Lock()
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Nothing; the jobs that were unfinished before are under way again."""
        for job in self._shop.store.jobs():
            self.add(job)
        if not self._shop.options.manual:
            self._thread = threading.Thread(target=self._run, name="geminate-emulator-jobs", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Nothing; jobs stand still, and start again with the next emulator on their folder."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
            self._thread = None
        for task in self._tasks.values():
            task.moves.close()
        self._tasks.clear()

    def add(self, job: Job) -> None:
        """Nothing; the job is under way, if it is not at its end."""
        if job.state in TERMINAL:
            return
        with self._changed:
            self._tasks[job.id] = _Task(iter_moves(self._shop, job))
            self._changed.notify_all()

    def wake(self, job_id: str) -> None:
        """Nothing; the job looks at its state without waiting for its time."""
        with self._changed:
            if task := self._tasks.get(job_id):
                task.is_woken = True
            self._changed.notify_all()

    def step(self) -> int:
        """How many jobs are still unfinished, after one move of each that is due."""
        with self._moving:
            with self._changed:
                tasks = list(self._tasks.items())
            for job_id, task in tasks:
                if self._is_due(task) and not self._is_stopped:
                    self._move(job_id, task)
            return len(self._tasks)

    def _run(self) -> None:
        while not self._is_stopped:
            self.step()
            with self._changed:
                if not self._is_stopped and not any(map(self._is_due, self._tasks.values())):
                    self._changed.wait(_NAP_S if self._tasks else None)

    def _is_due(self, task: _Task) -> bool:
        return task.is_woken or task.due <= self._shop.now()

    def _move(self, job_id: str, task: _Task) -> None:
        task.is_woken = False
        try:
            task.due = next(task.moves)
        except StopIteration:
            self._drop(job_id)
        except Exception as error:  # noqa: BLE001 - one job's trouble must not stop the others
            self._drop(job_id)
            self._fail(job_id, Status(SYSTEM_ERROR.code, f"{SYSTEM_ERROR.message} ({type(error).__name__}: {error})"))

    def _drop(self, job_id: str) -> None:
        with self._changed:
            self._tasks.pop(job_id, None)

    def _fail(self, job_id: str, error: Status) -> None:
        if self._shop.store.get(job_id):
            now = self._shop.now()
            self._shop.store.update(job_id, state=FAILED, error=error, update_time=now, end_time=now)
