"""What is durable about a run's jobs: every attempt, its state, and how it came there.

SQLite in the run's folder, ``synchronous=EXTRA``, each transition one transaction. The folder can be copied to another
machine and gone on with. Nothing secret is written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from geminate.errors import GeminateError, InputError
from geminate.locks import hold_lock, sqlite_errors

LEDGER_NAME = "run.sqlite"
SCHEMA_VERSION = 3

FOLLOWS: Mapping[str, frozenset[str]] = {
    "planned": frozenset({"staged", "abandoned"}),
    "staged": frozenset({"intended", "committed", "abandoned"}),
    "intended": frozenset({"committed", "refused", "doubtful"}),
    "doubtful": frozenset({"committed", "intended", "abandoned"}),
    "refused": frozenset({"intended", "committed", "abandoned"}),
    "committed": frozenset({"ended"}),
    "ended": frozenset(),
    "abandoned": frozenset(),
}
"""Which state of an attempt may follow which.

``planned``: its request lines lie in the run's folder. ``staged``: they lie where the service reads them.
``intended``: a create call is about to be made, or was begun by a process that died. ``refused``: the service said no,
and no job exists. ``doubtful``: the call went out and no clear answer came. ``committed``: a job exists, and may cost
money. ``ended``: the job's state is final. ``abandoned``: the run was cancelled before there was a job.
"""

OVER = frozenset({"ended", "abandoned"})
"""States of an attempt that nothing more will come of."""

SETTLED = OVER | {"committed"}
"""States of an attempt for which no create call is made any more."""

UNSENT = frozenset({"planned", "staged", "refused"})
"""States of an attempt that has no job, beyond doubt."""

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE attempts (
    attempt_id TEXT PRIMARY KEY,
    shard TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    input_uri TEXT NOT NULL DEFAULT '',
    input_generation INTEGER NOT NULL DEFAULT 0,
    output_prefix_uri TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '',
    job_name TEXT NOT NULL DEFAULT '',
    job TEXT NOT NULL DEFAULT '{}',
    intended_at REAL NOT NULL DEFAULT 0,
    seen_at REAL NOT NULL DEFAULT 0,
    resumes TEXT NOT NULL DEFAULT '',
    UNIQUE (shard, number)
) STRICT;
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    attempt_id TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;
"""

_MIGRATIONS = {
    1: "ALTER TABLE attempts ADD COLUMN seen_at REAL NOT NULL DEFAULT 0",
    2: "ALTER TABLE attempts ADD COLUMN resumes TEXT NOT NULL DEFAULT ''",
}
"""What brings a ledger of each former version to the next one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One submission of one shard.

    Attributes:
        attempt_id: Unique among all runs; the job's label.
        shard: The shard's name.
        number: 1 for the first attempt.
        state: One of ``FOLLOWS``.
        input_uri: Where the service reads the request lines.
        input_generation: Which version of that object.
        output_prefix_uri: Below which the service writes.
        body: The create call's body as JSON text.
        job_name: The job's resource name, empty until there is one.
        job: The service's last answer about it, as JSON text.
        intended_at: When the intent was written down or its call given up, seconds since the epoch; a job may appear
            in the service's list for some time after it.
        seen_at: When the service last described the job, seconds since the epoch.
        resumes: The attempt from whose output the service goes on; empty where its request lines are its input.
    """

    attempt_id: str
    shard: str
    number: int
    state: str
    input_uri: str = ""
    input_generation: int = 0
    output_prefix_uri: str = ""
    body: str = ""
    job_name: str = ""
    job: str = "{}"
    intended_at: float = 0.0
    seen_at: float = 0.0
    resumes: str = ""


class Ledger:
    """The open ledger of one run; use it as a context manager.

    Args:
        run_path: The run's folder.
        lock: Whether to keep other processes from working on the run meanwhile; only a reader may do without.

    Raises:
        InputError: The folder is no run, or was written by a newer Geminate.
        TransientError: Another process works on this run, or the disk is full.
    """

    def __init__(self, run_path: Path, *, lock: bool = True) -> None:
        path = run_path / LEDGER_NAME
        if not path.is_file():
            raise InputError("this folder is not a run", where=str(run_path), remedy="make one with geminate build")
        self._path = path
        with ExitStack() as opened:
            if lock:
                opened.enter_context(closing(hold_lock(run_path)))
            with sqlite_errors(path):
                self._db = opened.enter_context(closing(sqlite3.connect(path)))
                _make_durable(self._db)
                version = _migrate(self._db)
            if version != SCHEMA_VERSION:
                raise InputError(
                    f"the run's ledger has version {version}, and this Geminate knows {SCHEMA_VERSION}",
                    where=str(path),
                    remedy="use the Geminate that wrote it",
                )
            self._opened = opened.pop_all()

    @staticmethod
    def create(run_path: Path, facts: Mapping[str, Any], attempts: Iterable[Attempt]) -> None:
        """Nothing; the folder then holds a ledger with these facts and attempts."""
        path = run_path / LEDGER_NAME
        with sqlite_errors(path), closing(sqlite3.connect(path)) as db, db:
            _make_durable(db)
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.executemany("INSERT INTO facts VALUES (?, ?)", [(name, json.dumps(v)) for name, v in facts.items()])
            _insert_attempts(db, attempts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing; the run is free for another process."""
        self._opened.close()

    def facts(self) -> dict[str, Any]:
        """What was settled for the whole run, by name."""
        return {name: json.loads(value) for name, value in self._read("SELECT name, value FROM facts")}

    def settle(self, name: str, value: object) -> None:
        """Nothing; the fact is durable. A fact settled before is replaced."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def attempts(self) -> list[Attempt]:
        """Every attempt, by shard, then number."""
        return [Attempt(*row) for row in self._read(f"SELECT {_COLUMNS} FROM attempts ORDER BY shard, number")]

    def iter_faults(self) -> Iterator[str]:
        """What is wrong with the file, as clauses: its structure, and whether its entries can be ours.

        SQLite keeps no checksums, so a changed byte within a text that is still one stays unseen.
        """
        yield from (text for (text,) in self._read("PRAGMA integrity_check") if text != "ok")
        last: dict[str, str] = {}
        for attempt_id, before, after in self._read("SELECT attempt_id, from_state, to_state FROM events"):
            if after not in FOLLOWS.get(before, ()) or last.get(attempt_id, "planned") != before:
                yield f"an attempt went from {before} to {after}"
            last[attempt_id] = after
        for attempt in self.attempts():
            if last.get(attempt.attempt_id, "planned") != attempt.state:
                yield f"attempt {attempt.attempt_id} is {attempt.state}, and nothing says how it came there"
            json.loads(attempt.body or "{}"), json.loads(attempt.job)

    def add_attempts(self, attempts: Iterable[Attempt], facts: Mapping[str, object] | None = None) -> None:
        """Nothing; the new attempts are durable, together with the facts about them."""
        rows = [(name, json.dumps(value)) for name, value in (facts or {}).items()]
        with self._transaction():
            _insert_attempts(self._db, attempts)
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def advance(self, attempt: Attempt, state: str, *, at: float, note: str = "", **fields: str | float) -> Attempt:
        """The attempt in its next state, durable together with the fields that changed.

        Raises:
            GeminateError: That state may not follow, or the ledger holds another one than ``attempt`` says.
        """
        if state not in FOLLOWS[attempt.state]:
            raise GeminateError(f"an attempt cannot go from {attempt.state} to {state}", where=attempt.attempt_id)
        changes = {"state": state, **fields}
        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        with self._transaction():
            changed = self._db.execute(
                f"UPDATE attempts SET {assignments} WHERE attempt_id = :id AND state = :before",
                {**changes, "id": attempt.attempt_id, "before": attempt.state},
            ).rowcount
            if changed != 1:
                raise GeminateError("the ledger holds another state of this attempt", where=attempt.attempt_id)
            self._db.execute(
                "INSERT INTO events (at, attempt_id, from_state, to_state, note) VALUES (?, ?, ?, ?, ?)",
                (at, attempt.attempt_id, attempt.state, state, note),
            )
        return self._attempt(attempt.attempt_id)

    def record_job(self, attempt: Attempt, job: Mapping[str, Any], *, at: float) -> Attempt:
        """The attempt with the service's latest answer about its job."""
        with self._transaction():
            self._db.execute(
                "UPDATE attempts SET job = ?, seen_at = ? WHERE attempt_id = ?",
                (json.dumps(job), at, attempt.attempt_id),
            )
        return self._attempt(attempt.attempt_id)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with sqlite_errors(self._path), self._db:
            yield

    def _read(self, statement: str) -> list[Any]:
        with sqlite_errors(self._path):
            return self._db.execute(statement).fetchall()

    def _attempt(self, attempt_id: str) -> Attempt:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone()
        return Attempt(*row)


_COLUMNS = ", ".join(Attempt.__dataclass_fields__)


def _make_durable(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = DELETE")
    # FULL alone does not sync the removal of the journal, without which a power cut undoes what was committed last.
    db.execute("PRAGMA synchronous = EXTRA")


def _migrate(db: sqlite3.Connection) -> int:
    """The ledger's version, after it was brought as near to ours as it can be; each step is one transaction."""
    while True:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in _MIGRATIONS:
            return version
        with db:
            db.execute("BEGIN IMMEDIATE")
            # Another process may have been faster.
            if db.execute("PRAGMA user_version").fetchone()[0] == version:
                db.execute(_MIGRATIONS[version])
                db.execute(f"PRAGMA user_version = {version + 1}")


def _insert_attempts(db: sqlite3.Connection, attempts: Iterable[Attempt]) -> None:
    marks = ", ".join("?" * len(Attempt.__dataclass_fields__))
    rows = [tuple(getattr(a, name) for name in Attempt.__dataclass_fields__) for a in attempts]
    db.executemany(f"INSERT INTO attempts ({_COLUMNS}) VALUES ({marks})", rows)
