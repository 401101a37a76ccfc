"""Calls about tables, off the connection and back onto it, with what a fault script does to them."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from geminate.emulator.call_faults import CallFault
from geminate.emulator.exchange import Connection, HttpReply, HttpRequest, send_reply
from geminate.emulator.faults import FAULT_HEADER, Faults
from geminate.emulator.statuses import CALL_STATUSES, ApiError
from geminate.emulator.tables.api import TableApi
from geminate.errors import UsageError

_PATHS = ("/bigquery/", "/upload/bigquery/", "/resumable/upload/bigquery/")
# Google's clients upload by 100 MiB at most.
_MAX_BODY_BYTES = 128 * 1024 * 1024
# What an upload keeps of a call that breaks off comes in multiples of this.
_KEPT_BYTES = 256 * 1024
# The method and path of a call, and what fault scripts call it; the first that matches counts.
_VERBS = [
    (re.compile(pattern), verb)
    for pattern, verb in (
        ("PUT .*/upload/.*", "upload"),
        ("POST .*/jobs", "insert"),
        ("GET .*/jobs(/[^/]+)?", "job"),
        (".*/queries(/[^/]+)?", "query"),
        ("GET .*/data", "read"),
        ("POST .*/insertAll", "stream"),
        (".*/tables(/[^/]+)?", "table"),
        (".*/datasets(/[^/]+)?", "dataset"),
    )
]


class TableServer:
    """Answers calls about datasets, tables and the jobs on them.

    Args:
        api: What answers.
        faults: What goes wrong.
    """

    def __init__(self, api: TableApi, faults: Faults) -> None:
        self._api = api
        self._faults = faults

    @staticmethod
    def takes(path: str) -> bool:
        """Whether a path is one of BigQuery's API."""
        return path.startswith(_PATHS)

    def serve(self, connection: Connection) -> None:
        """Nothing; the call is answered, or has met its fault."""
        fault: CallFault | None = None
        try:
            request = _read_request(connection)
            fault = self._fault(request)
            reply = self._answer(connection, request, fault)
        except ApiError as error:
            reply = HttpReply.of_json(error.document(), error.code)
        if reply is None:
            connection.reset()
            return
        send_reply(connection, reply, fault)

    def _fault(self, request: HttpRequest) -> CallFault | None:
        call = f"{request.method} {request.path}"
        verb = next((verb for pattern, verb in _VERBS if pattern.fullmatch(call)), "any")
        try:
            return self._faults.table_fault(verb, request.headers.get(FAULT_HEADER))
        except UsageError as error:
            raise ApiError(400, "INVALID_ARGUMENT", str(error)) from None

    def _answer(self, connection: Connection, request: HttpRequest, fault: CallFault | None) -> HttpReply | None:
        """The reply; None where the connection is to be reset instead."""
        if fault is None:
            return self._api.answer(request)
        if fault.after_bytes is not None and fault.code is not None and request.method == "PUT":
            kept = fault.after_bytes // _KEPT_BYTES * _KEPT_BYTES
            self._api.answer(replace(request, body=request.body[:kept]))
        reply = self._api.answer(request) if fault.commit or fault.stalls_only else None
        connection.wait(fault.stall_s)
        if fault.reset:
            return None
        if fault.code is not None:
            headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            document = ApiError(fault.code, *CALL_STATUSES[fault.code]).document()
            return HttpReply.of_json(document, fault.code, **headers)
        return reply


def _read_request(connection: Connection) -> HttpRequest:
    length = connection.headers.get("Content-Length", "0")
    if "chunked" in connection.headers.get("Transfer-Encoding", ""):
        connection.close_connection = True
        raise ApiError(411, "INVALID_ARGUMENT", "A body needs a Content-Length.")
    if not length.isdecimal() or int(length) > _MAX_BODY_BYTES:
        connection.close_connection = True
        raise ApiError(413, "INVALID_ARGUMENT", "The body is too large.")
    target = urlsplit(connection.path)
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    headers = {name.lower(): value for name, value in connection.headers.items()}
    base_url = f"http://{connection.headers.get('Host', '')}"
    return HttpRequest(connection.command, target.path, query, headers, connection.rfile.read(int(length)), base_url)
