"""Runs ``geminate`` commands in forked processes that die, or meet a full disk, at a call of our choosing.

Reads one command a line as JSON from the standard input, and answers in the same way. Everything heavy is imported
once, before the forks; nothing is started, so that a fork is safe. A process that is to die gets a real SIGKILL: no
``finally`` runs, no lock is given back, nothing is flushed.
"""

import builtins
import errno
import importlib
import io
import json
import logging
import os
import signal
import sqlite3
import stat
import sys
import threading
import time
import traceback
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from mutations import MUTATIONS

PRELOADED = (
    *("building", "checking", "jobs", "joining", "running"),
    *("geminate.adapters.folder", "geminate.adapters.vertex", "geminate.pipeline.runs", "geminate.pipeline.whole"),
    *("geminate.adapters.gcs", "geminate.adapters.bigquery"),
    *("google.oauth2.credentials", "minijinja", "polars", "pyarrow.compute", "pyarrow.parquet"),
)
NAMES = ("link", "mkdir", "remove", "rename", "replace", "rmdir", "unlink")
REMOVALS = {"remove", "rmdir", "unlink"}  # A full disk does not keep anyone from these.
NO_EXIT_CODE = 99
MOST_S = 60  # A command that takes longer hangs.
WRITE_MODES = set("wxa+")


class Seam:
    """Counts what changes the world outside the process, and strikes at some of it."""

    def __init__(self, kind="none", at=(), *, lasting=False):
        self.kind, self.at, self.lasting = kind, set(at), lasting
        self.calls = []
        self.is_struck = False
        self._lock = threading.Lock()

    def _strikes(self, name):
        with self._lock:
            if self.kind in {"ENOSPC", "EIO"} and name in REMOVALS | {"http"}:
                return False
            self.calls.append(name)
            if len(self.calls) in self.at:
                self.is_struck = True
                return True
            return self.lasting and self.is_struck

    def around(self, name, effect, undo=None):
        if not self._strikes(name):
            return effect()
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if undo is not None:
            raise undo(self.kind)
        number = getattr(errno, self.kind)
        raise OSError(number, os.strerror(number))


class SeamFile(io.FileIO):
    """A file whose writes go through the seam."""

    seam = None

    def write(self, data):
        return self.seam.around("write", lambda: super(SeamFile, self).write(data))


class SeamConnection(sqlite3.Connection):
    """A connection whose commits go through the seam; one that fails is rolled back, as SQLite does."""

    seam = None

    def __exit__(self, kind, error, trace):
        if kind is not None:
            return super().__exit__(kind, error, trace)
        return self.seam.around("commit", lambda: super(SeamConnection, self).__exit__(None, None, None), self._undo)

    def _undo(self, kind):
        self.rollback()
        error = sqlite3.OperationalError("disk I/O error" if kind == "EIO" else "database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE if kind == "EIO" else sqlite3.SQLITE_FULL
        return error


def install(seam):
    SeamFile.seam = SeamConnection.seam = seam
    for name in NAMES:
        _wrap(os, name, lambda call, name: lambda *a, **k: seam.around(name, lambda: call(*a, **k)))
    _wrap(os, "fsync", lambda call, _: lambda fd: seam.around(_name_sync(fd), lambda: call(fd)))
    _wrap(os, "open", lambda call, _: lambda path, flags, *a, **k: _open_fd(seam, call, path, flags, *a, **k))
    plain_open = io.open
    io.open = builtins.open = lambda file, mode="r", *a, **k: _open(seam, plain_open, file, mode, *a, **k)
    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=SeamConnection)
    from requests.adapters import HTTPAdapter

    send = HTTPAdapter.send
    HTTPAdapter.send = lambda self, request, **k: (
        send(self, request, **k) if request.method == "GET" else seam.around("http", lambda: send(self, request, **k))
    )


def _wrap(module, name, wrapper):
    setattr(module, name, wrapper(getattr(module, name), name))


def _name_sync(fd):
    return "sync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync"


def _open_fd(seam, call, path, flags, *more, **named):
    if flags & os.O_CREAT:
        return seam.around("create", lambda: call(path, flags, *more, **named))
    return call(path, flags, *more, **named)


def _open(seam, call, file, mode="r", buffering=-1, encoding=None, *more, **named):  # noqa: PLR0917 the signature of open
    if not isinstance(file, str | os.PathLike) or not WRITE_MODES & set(mode):
        return call(file, mode, buffering, encoding, *more, **named)
    raw = seam.around("create", lambda: SeamFile(file, mode.replace("b", "")))
    if buffering == 0:
        return raw
    buffered = io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding or "utf-8")


def hurry(read_timeout_s, service_port):
    """Makes waiting cost little: a sleep moves the clock on, that of the service too if told, and takes a moment only.

    A service with a clock of its own is waited for as patiently as the real one.
    """
    from geminate import resumable
    from geminate.adapters import vertex
    from geminate.adapters.system import SystemClock
    from geminate.pipeline import open_run, submit

    assert vertex._TIMEOUT_S
    assert resumable._BLOCK_BYTES
    resumable._BLOCK_BYTES = 256 * 1024
    vertex._TIMEOUT_S = (10, read_timeout_s)

    slept = 0.0
    now, sleep = SystemClock.now, SystemClock.sleep

    def hurried(clock, seconds):
        nonlocal slept
        slept += seconds
        if service_port:
            with closing(HTTPConnection("127.0.0.1", service_port)) as service:
                service.request("POST", "/step", json.dumps({"seconds": seconds}))
                assert service.getresponse().status == 200
        sleep(clock, min(seconds, 0.004))

    if service_port:
        assert open_run._EMULATED_GRACE_S
        open_run._EMULATED_GRACE_S = submit.DOUBT_GRACE_S
    SystemClock.now = lambda clock: now(clock) + slept
    SystemClock.sleep = hurried


def log_all(token):
    """Logs every library's every word to the standard error, and signs in with this token."""
    from google.oauth2.credentials import Credentials

    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(levelname)s %(message)s")
    begin = Credentials.__init__
    Credentials.__init__ = lambda self, **named: begin(self, **{**named, "token": token})


def live(order):
    """Does not return: the forked process, whose end is the command's."""
    folder = Path(order["cwd"])
    seam = Seam(**order.get("fault") or {})
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(folder)
    os.environ.update(order["environment"])
    signal.alarm(MOST_S)
    sys.argv = ["geminate", *order["argv"]]
    calls = os.open(order["calls"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    if order["token"]:
        log_all(order["token"])
    hurry(order["read_timeout_s"], order["service_port"])
    if order["mutation"]:
        MUTATIONS[order["mutation"]]()
    install(seam)
    from geminate.cli import main

    code = NO_EXIT_CODE
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        if code == NO_EXIT_CODE:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(calls, json.dumps(seam.calls).encode())
        os._exit(code)


def serve():
    for name in PRELOADED:
        importlib.import_module(name if "." in name or name in {"polars", "minijinja"} else f"geminate.cli.{name}")
    answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        children = [_fork(each) for each in order["together"]]
        answer({"codes": [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]})


def _fork(order):
    child = os.fork()
    if not child:
        time.sleep(order["delay_s"])
        live(order)
    return child


def answer(document):
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
