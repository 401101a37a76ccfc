"""HTTP on loopback: reads requests, lets faults happen, writes answers."""

from __future__ import annotations

import io
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from geminate.emulator.api import Call, match_route
from geminate.emulator.call_faults import CallFault
from geminate.emulator.exchange import Connection, HttpReply, send_reply
from geminate.emulator.faults import FAULT_HEADER, Faults, parse_job_fault
from geminate.emulator.statuses import CALL_STATUSES, ApiError
from geminate.errors import UsageError

SERVER_NAME = "geminate-emulator"
HOST = "127.0.0.1"
STEP_PATH = "/step"
"""Where a POST of ``{"seconds": N}`` moves the time on."""

_MAX_BODY_BYTES = 16 * 1024 * 1024
_POLL_S = 0.02
_ABOUT = (
    "This is the Geminate emulator of Vertex AI batch prediction. No model answers here, nothing leaves this machine "
    "and nothing is billed."
)


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float = 1.0


class Part(Protocol):
    """What answers the calls of one service."""

    def takes(self, path: str) -> bool:
        """Whether a path is the service's."""
        ...

    def serve(self, connection: Connection) -> None:
        """Nothing; the call is answered."""
        ...


class EmulatorServer(ThreadingHTTPServer):
    """Serves calls on a thread for each connection, until it is stopped.

    Args:
        port: The port on 127.0.0.1; 0 for a free one.
        answer: What answers a call, or raises ``ApiError``.
        faults: What goes wrong before or after that.
        about: More members for the document at ``/``.
        parts: What answers the calls of other services instead.

    Attributes:
        step: Moves the time on by so many seconds, and says how many jobs are unfinished then.
    """

    # A connection is closed by its client or by ``stop``; a forgotten emulator must not keep the process alive.
    daemon_threads = True

    def __init__(
        self,
        port: int,
        answer: Callable[[Call], dict[str, Any]],
        faults: Faults,
        about: dict[str, Any],
        parts: Sequence[Part] = (),
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.answer = answer
        self.faults = faults
        self.parts = parts
        self.step: Callable[[float], int] = lambda _: 0
        self.about = {"emulator": "geminate", "about": _ABOUT, **about}
        self.stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), name=SERVER_NAME, daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a path."""
        return f"http://{HOST}:{self.server_port}"

    def start(self) -> None:
        """Nothing; calls are answered from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing; all connections are closed and all threads are at their end."""
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        for thread, connection in list(self._connections.items()):
            # The handler's own end closes the socket; this wakes it from waiting for the next request.
            _shut(connection)
            thread.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Nothing; the connection is handled on a thread that ``stop`` can end."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._connections = {each: open_ for each, open_ in self._connections.items() if each.is_alive()}
        self._connections[thread] = request
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing; a client that hangs up is no error of the server's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Unbuffered writes would send each header line on its own, and cost 40 ms an answer.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: EmulatorServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def version_string(self) -> str:
        """What the ``Server`` header says."""
        return SERVER_NAME

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing; the emulator is quiet."""

    def reset(self) -> None:
        """Nothing; the client sees its connection reset, not closed."""
        reset_connection(self)

    def wait(self, seconds: float) -> None:
        """Nothing, after that long, or once the emulator stops."""
        self.server.stopping.wait(seconds)

    def _serve(self) -> None:
        for part in self.server.parts:
            if part.takes(self.path):
                part.serve(self)
                return
        try:
            target = urlsplit(self.path)
            body = self._read_body(_MAX_BODY_BYTES)
            if self.command == "GET" and target.path == "/":
                self._send(200, self.server.about)
                return
            if (self.command, target.path) == ("POST", STEP_PATH):
                self._send(200, {"unfinished": self._step(body)})
                return
            self._authenticate()
            name, path = match_route(self.command, target.path)
            query = dict(parse_qsl(target.query, keep_blank_values=True))
            fault = self._fault(name)
            self._answer(Call(name, path, query, body, self._job_fault(name)), fault)
        except ApiError as error:
            self._send(error.code, error.document())

    def _step(self, body: bytes) -> int:
        try:
            return self.server.step(msgspec.json.decode(body or b"{}", type=_Step).seconds)
        except (msgspec.MsgspecError, UnicodeDecodeError, UsageError) as error:
            raise ApiError(400, "INVALID_ARGUMENT", str(error)) from None

    def _authenticate(self) -> None:
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            raise ApiError(401, *CALL_STATUSES[401])

    def _fault(self, name: str) -> CallFault | None:
        header = self.headers.get(FAULT_HEADER, "")
        try:
            return self.server.faults.call_fault(name, None if header.startswith("{") else header)
        except UsageError as error:
            raise ApiError(400, "INVALID_ARGUMENT", str(error)) from None

    def _job_fault(self, name: str) -> dict[str, Any] | None:
        header = self.headers.get(FAULT_HEADER, "")
        if name != "create" or not header.startswith("{"):
            return None
        try:
            return parse_job_fault(header)
        except UsageError as error:
            raise ApiError(400, "INVALID_ARGUMENT", str(error)) from None

    def _answer(self, call: Call, fault: CallFault | None) -> None:
        if fault is None:
            self._send(200, self.server.answer(call))
            return
        document = self.server.answer(call) if fault.commit else None
        self.wait(fault.stall_s)
        if fault.reset:
            self.reset()
        elif fault.code is not None:
            headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            self._send(fault.code, ApiError(fault.code, *CALL_STATUSES[fault.code]).document(), headers)
        else:
            self._send(200, self.server.answer(call) if document is None else document, fault=fault)

    def _read_body(self, most: int) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise self._unreadable(HTTPStatus.LENGTH_REQUIRED, "A body needs a Content-Length.")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > most:
            raise self._unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
        return self.rfile.read(int(length))

    def _unreadable(self, status: HTTPStatus, message: str) -> ApiError:
        self.close_connection = True
        return ApiError(status, "INVALID_ARGUMENT", message)

    def _send(
        self, code: int, document: dict[str, Any], headers: dict[str, str] | None = None, fault: CallFault | None = None
    ) -> None:
        reply = HttpReply.of_json(document, code, **(headers or {}))
        send_reply(self, replace(reply, body=msgspec.json.format(reply.body, indent=2)), fault)


def reset_connection(handler: BaseHTTPRequestHandler) -> None:
    """Nothing; the handler's client sees its connection reset, not closed."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    # The socket is only gone once nothing refers to it; what the base class flushes afterwards goes nowhere.
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()
    handler.wfile = io.BytesIO()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Its client was faster.
        return
