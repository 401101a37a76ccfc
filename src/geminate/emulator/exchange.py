"""One HTTP request and its answer, for the parts of the emulator that speak more than one kind of body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from geminate.emulator.call_faults import CallFault


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request, read whole.

    Attributes:
        method: Its verb.
        path: Its path, still percent-encoded.
        query: Its query parameters.
        headers: Its headers, by their names in lower case.
        body: Its bytes.
        base_url: What the client calls this server.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str

    def read_json(self) -> Any:
        """The body, decoded; nothing at all is an empty object.

        Raises:
            msgspec.DecodeError: It is not JSON.
        """
        return msgspec.json.decode(self.body or b"{}")


@dataclass(frozen=True, slots=True)
class HttpReply:
    """The answer to a request."""

    code: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, document: Any, code: int = 200, **headers: str) -> HttpReply:
        """The document as an answer."""
        body = msgspec.json.encode(document)
        return cls(code, body, {"Content-Type": "application/json; charset=UTF-8", **headers})


class Connection(Protocol):
    """What is needed of the server's side of a connection: a ``BaseHTTPRequestHandler`` that can reset and wait."""

    command: str
    path: str
    headers: Any
    rfile: Any
    wfile: Any
    close_connection: bool

    def send_response(self, code: int, message: str | None = None) -> None:
        """Nothing; the status line is said."""

    def send_header(self, keyword: str, value: str) -> None:
        """Nothing; a header is said."""

    def end_headers(self) -> None:
        """Nothing; all headers are said."""

    def reset(self) -> None:
        """Nothing; the caller sees its connection reset."""

    def wait(self, seconds: float) -> None:
        """Nothing, after that long, or once the server stops."""


def send_reply(connection: Connection, reply: HttpReply, fault: CallFault | None = None) -> None:
    """Nothing; the answer has been sent, broken or damaged where a fault says so."""
    if fault and fault.broken:
        connection.close_connection = True
    connection.send_response(reply.code)
    connection.send_header("Content-Length", str(len(reply.body)))
    for name, value in reply.headers.items():
        connection.send_header(name, value)
    connection.end_headers()
    connection.wfile.write(fault.damage(reply.body) if fault else reply.body)
