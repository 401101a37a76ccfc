"""From a row of the input to the line of the output: what the service checks, what the model says, what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from geminate.emulator.answers import Answerer, listed, pick
from geminate.emulator.echo import echo_line
from geminate.emulator.faults import JobFault, RowFault
from geminate.emulator.fields import Field
from geminate.emulator.importer import KEY_NAMES, RESULT_NAMES, Input
from geminate.emulator.responses import Origin, bend_response, complete_response
from geminate.emulator.statuses import INVALID_ROLE, NO_CONTENTS, NO_PARTS, ROW_STATUSES, RowError
from geminate.emulator.times import processed_time, rfc3339

LineLayout = Literal["since-2025-12", "until-2025-09"]

_ROLES = frozenset({"user", "model"})
_ORDERS: dict[LineLayout, tuple[str, ...]] = {
    "since-2025-12": ("request", "status", "response", "processed_time"),
    "until-2025-09": ("status", "processed_time", "request", "response"),
}


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Makes the prediction lines of one job.

    Attributes:
        job_id: Part of the response ids.
        model_version: What responses call the model.
        answerer: What stands in for it.
        fields: The fields of the input; None for a table, whose columns come back as they are.
        fault: What the job meets.
        layout: The order of a line's members.
    """

    job_id: str
    model_version: str
    answerer: Answerer
    fields: Field | None
    fault: JobFault
    layout: LineLayout

    def make(self, row: dict[str, Any], number: int, token: int, now: float) -> tuple[bytes, bool]:
        """The line for the row with that number, from 1, and whether it is a good one.

        A row that already holds a former job's good prediction comes back with it: a job over a former job's output
        does what that one did not (the page on resuming batch inference, read 2026-11-23).
        """
        members, former = self._echo(row)
        if isinstance(row.get("request"), str):
            row["request"] = _parsed(row["request"])
        at = processed_time(now)
        if response := _answered(former):
            return self._line(members, "", response, former.get("processed_time") or at), True
        status, response = self._predict(row, number, token, now)
        return self._line(members, status, response, at), not status

    def leave(self, row: dict[str, Any], now: float) -> bytes:
        """The line for a row that this job did not come to; what a former one made of it stays."""
        members, former = self._echo(row)
        at = former.get("processed_time") or processed_time(now)
        return self._line(members, former.get("status") or "", _answered(former) or {}, at)

    def _echo(self, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The members as they come back, and those of a former job, which the row has no longer."""
        former = {name: row.pop(name) for name in RESULT_NAMES if name in row}
        return echo_line(row, self.fields) if self.fields else _copied(row), former

    def _line(self, members: dict[str, Any], status: str, response: Any, at: str) -> bytes:
        request = members.pop("request", None)
        results = {"request": request, "status": status, "response": response, "processed_time": at}
        siblings = {name: _coerced(value) for name, value in members.items()} if self.fault.coerce_keys else members
        return msgspec.json.encode(siblings | {name: results[name] for name in _ORDERS[self.layout]})

    def _predict(self, row: dict[str, Any], number: int, token: int, now: float) -> tuple[str, Any]:
        request = row.pop("request", None)
        fault = self._fault(row, request, number, token)
        if fault and fault.status is not None:
            named = ROW_STATUSES.get(fault.status)
            return named.text() if named else fault.status, {}
        origin = Origin(self.model_version, rfc3339(now), _response_id(self.job_id, number))
        try:
            _check_request(request)
            response = complete_response(self.answerer(request, row), request, origin)
            response = bend_response(response, fault.answer) if fault and fault.answer else response
            return "", msgspec.Raw(msgspec.json.encode(response))
        except RowError as error:
            return error.text(), {}
        except Exception as error:  # noqa: BLE001 - whatever a user's answerer raises or gives is that row's failure
            return RowError(500, "INTERNAL", f"{type(error).__name__}: {error}").text(), {}

    def _fault(self, siblings: dict[str, Any], request: Any, number: int, token: int) -> RowFault | None:
        for place, fault in enumerate(self.fault.rows):
            if _meant(fault, siblings, request, number) and is_chosen(token, f"row {place}", fault.rate):
                return fault
        return None


def _copied(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "request": msgspec.Raw(msgspec.json.encode(row.get("request")))}


def _parsed(text: str) -> Any:
    """The request in a column of type STRING; what is no JSON is no request."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _answered(former: dict[str, Any]) -> Any:
    """A former job's good response, perhaps from a column of text; None where there is none."""
    response = former.get("response")
    response = _parsed(response) if isinstance(response, str) else response
    return None if former.get("status") else response or None


def is_chosen(token: int, what: str, rate: float) -> bool:
    """Whether a row is among that share of the rows; always the same for the same row and purpose."""
    if rate in {0, 1}:
        return bool(rate)
    text = token.to_bytes(8) + what.encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest()) < rate * 2.0**64


def iter_lines(
    maker: RowMaker, source: Input, plan: Iterable[int], now: Callable[[], float]
) -> Generator[tuple[bytes, bool], None, None]:
    """The lines of the rows that ``plan_lines`` names, each with whether it is a good one."""
    with source.path.open("rb") as file:
        for entry in plan:
            number, is_orphan = divmod(entry, 2)
            row = source.read_row(file, number)
            yield maker.make(orphaned(row) if is_orphan else row, number + 1, source.tokens[number], now())


def iter_left(maker: RowMaker, source: Input, plan: Iterable[int], now: Callable[[], float]) -> Iterator[bytes]:
    """The lines of rows that nobody came to."""
    with source.path.open("rb") as file:
        for number in (entry // 2 for entry in plan if not entry % 2):
            yield maker.leave(source.read_row(file, number), now())


def orphaned(row: dict[str, Any]) -> dict[str, Any]:
    """A row like this one that no input holds: another key, or another text where it has none."""
    named = [name for name in KEY_NAMES if row.get(name) is not None]
    for name in named:
        row[name] = f"{row[name]}-orphan"
    if not named:
        row["request"] = {"contents": [{"parts": [{"text": "A request that nobody sent."}], "role": "user"}]}
    return row


def _meant(fault: RowFault, siblings: dict[str, Any], request: Any, number: int) -> bool:
    if fault.lines is not None and number not in fault.lines:
        return False
    if fault.keys is not None:
        keys = [str(siblings[name]) for name in KEY_NAMES if siblings.get(name) is not None]
        if not any(fnmatchcase(key, fault.keys) for key in keys):
            return False
    if fault.contains is not None and fault.contains not in msgspec.json.encode(request).decode():
        return False
    return fault.when is None or bool(fault.when({**siblings, "request": request}))


def _check_request(request: Any) -> None:
    contents = listed(request.get("contents")) if isinstance(request, Mapping) else []
    if not contents:
        raise NO_CONTENTS
    for content in contents:
        role = pick(content, "role")
        if role is not None and role not in _ROLES:
            raise INVALID_ROLE
        if not listed(pick(content, "parts")):
            raise NO_PARTS


def _response_id(job_id: str, number: int) -> str:
    return blake2b(f"{job_id}/{number}".encode(), digest_size=11).hexdigest()


def _coerced(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value
