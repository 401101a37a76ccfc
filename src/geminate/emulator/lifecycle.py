"""Starting and stopping an emulator."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from geminate.emulator.answers import load_answerer
from geminate.emulator.api import JobApi
from geminate.emulator.faults import Faults
from geminate.emulator.job_objects import JobObjects
from geminate.emulator.job_tables import JobTables
from geminate.emulator.jobs import JobStore
from geminate.emulator.lock import hold_folder
from geminate.emulator.options import EmulatorOptions
from geminate.emulator.server import STEP_PATH, EmulatorServer
from geminate.emulator.storage import StorageServer
from geminate.emulator.tables import TableApi, TableServer
from geminate.emulator.work import Shop
from geminate.emulator.worker import Worker
from geminate.errors import UsageError


class Emulator:
    """Vertex AI batch prediction on 127.0.0.1, for jobs from and to folders that stand for Cloud Storage buckets.

    It is an emulator and says so: in its ``Server`` header, in the document at ``/``, and in each response's
    ``modelVersion``. Jobs outlive it in its folder; one that was under way begins again with the next emulator on the
    same folder, and ends with one output directory. Use it as a context, or call ``start`` and ``stop``.

    Args:
        folder: Where jobs and buckets are kept; it is made.
        options: How it behaves.

    Raises:
        UsageError: The answerer or the fault script cannot be used.
    """

    def __init__(self, folder: Path, options: EmulatorOptions = EmulatorOptions()) -> None:  # noqa: B008 - it is frozen
        self._folder = Path(folder)
        self._options = options
        self._stepped_s = 0.0
        self._stepping = threading.Lock()
        self._faults = Faults(options.faults)
        self._answerer = load_answerer(options.answerer)
        self._worker: Worker | None = None
        self._server: EmulatorServer | None = None
        self._held = ExitStack()

    @property
    def buckets(self) -> Path:
        """The folder of the buckets: ``gs://bucket/name`` is ``<buckets>/bucket/name``.

        A bucket exists if its folder does. Files whose name begins with a dot are writes in flight.
        """
        return self._folder / "buckets"

    @property
    def url(self) -> str:
        """The base URL for clients, without a path.

        Raises:
            UsageError: The emulator is not started.
        """
        if self._server is None:
            raise UsageError("the emulator is not started", remedy="call start, or use it as a context")
        return self._server.url

    def start(self) -> None:
        """Nothing; calls are answered, and unfinished jobs are under way.

        Raises:
            UsageError: The port cannot be had, another emulator serves the folder, or this one is started.
        """
        if self._server is not None:
            raise UsageError("the emulator is started already")
        self.buckets.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            held.enter_context(hold_folder(self._folder))
            scratch = self._folder / "scratch"
            scratch.mkdir(exist_ok=True)
            shop = Shop(
                JobStore(self._folder / "jobs"),
                JobObjects(self.buckets, self._options.storage_endpoint),
                JobTables(lambda: self._options.bigquery_endpoint or self.url),
                scratch,
                self._options,
                self._faults,
                self._answerer,
                self._now,
            )
            self._worker = Worker(shop)
            tables = TableApi(self._folder, self._options.new_dataset_location)
            held.callback(tables.close)
            about = {
                "buckets": str(self.buckets.resolve()),
                "api": "/v1/projects/{p}/locations/{l}/batchPredictionJobs",
                "storage": "/storage/v1",
                "step": STEP_PATH,
            }
            try:
                self._server = EmulatorServer(
                    self._options.port,
                    JobApi(shop, self._worker).answer,
                    self._faults,
                    about,
                    [
                        StorageServer(self.buckets, self._folder / "storage", self._faults),
                        TableServer(tables, self._faults),
                    ],
                )
            except OSError as error:
                what = f"port {self._options.port} cannot be had: {error.strerror}"
                raise UsageError(what, remedy="name another with --port, or 0 for a free one") from error
            self._server.step = self.step
            self._server.start()
            held.callback(self._server.stop)
            self._worker.start()
            # Stopped before the server, which its jobs call.
            held.callback(self._worker.stop)
            self._held = held.pop_all()

    def stop(self) -> None:
        """Nothing; its threads are at their end and its folder is free. Unfinished jobs stay as they are."""
        self._held.close()
        self._server = self._worker = None

    def step(self, seconds: float = 1.0) -> int:
        """How many jobs are still unfinished, after the time has moved on and each job that is due made one move.

        With ``manual=True`` jobs move in no other way; otherwise those that are due then also go on by themselves. The
        same over HTTP: ``POST /step`` with ``{"seconds": 86400}``.

        Raises:
            UsageError: The emulator is not started, or the time would go back.
        """
        if self._worker is None:
            raise UsageError("the emulator is not started", remedy="call start, or use it as a context")
        if not 0 <= seconds < math.inf:
            raise UsageError(f"the time cannot move on by {seconds} s", remedy="give seconds, from 0 up")
        with self._stepping:
            self._stepped_s += seconds
        return self._worker.step()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _now(self) -> float:
        return self._options.clock() + self._stepped_s


def serve(folder: Path, options: EmulatorOptions, *, announce: Callable[[str], None]) -> None:
    """Nothing, after an interrupt or a termination signal; until then an emulator answers.

    Must be called in the main thread, whose signal handlers it takes over meanwhile.

    Args:
        folder: Where jobs and buckets are kept.
        options: How it behaves.
        announce: Is told the base URL, then in a second line where the buckets lie.
    """
    ended = threading.Event()
    with Emulator(folder, options) as emulator, ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            former = signal.signal(number, lambda _number, _frame: ended.set())
            handlers.callback(signal.signal, number, former)
        announce(emulator.url)
        announce(f"emulated: no model answers and nothing is billed; buckets in {emulator.buckets.resolve()}")
        ended.wait()
