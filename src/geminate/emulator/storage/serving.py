"""Calls about objects, off the connection and back onto it, with what a fault script does to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from geminate.emulator.call_faults import CallFault
from geminate.emulator.exchange import Connection
from geminate.emulator.faults import FAULT_HEADER, Faults
from geminate.emulator.storage.api import Call, Reply, StorageApi
from geminate.emulator.storage.bodies import Body
from geminate.emulator.storage.errors import StorageError, invalid, struck
from geminate.errors import UsageError

_B, _O = r"/b/(?P<bucket>[^/]+)", r"/o/(?P<object>.+)"
_ROOTS = ("/storage/v1/b", "/upload/storage/v1/b/", "/download/storage/v1/b/")
_FEW_BYTES = 256 * 1024
_Answer = Callable[[StorageApi, Call], Reply]
# The method, the path, what fault scripts call it, what answers it; the first that matches counts.
_ROUTES: list[tuple[str, re.Pattern[str], str, _Answer]] = [
    (method, re.compile(path), verb, answer)
    for method, path, verb, answer in [
        ("GET", "/storage/v1/b", "bucket", StorageApi.list_buckets),
        ("POST", "/storage/v1/b", "bucket", StorageApi.make_bucket),
        ("GET", f"/storage/v1{_B}", "bucket", StorageApi.get_bucket),
        ("GET", f"/storage/v1{_B}/o/?", "list", StorageApi.list_objects),
        ("POST", f"/storage/v1{_B}{_O}/compose", "compose", StorageApi.compose_object),
        (
            "POST",
            rf"/storage/v1{_B}{_O}/rewriteTo/b/(?P<to_bucket>[^/]+)/o/(?P<to_object>.+)",
            "compose",
            StorageApi.rewrite_object,
        ),
        ("GET", f"/(?:download/)?storage/v1{_B}{_O}", "get", StorageApi.get_object),
        ("PATCH", f"/storage/v1{_B}{_O}", "patch", StorageApi.patch_object),
        ("DELETE", f"/storage/v1{_B}{_O}", "delete", StorageApi.delete_object),
        ("POST", f"/upload/storage/v1{_B}/o", "insert", StorageApi.insert_object),
        ("PUT", f"/upload/storage/v1{_B}/o", "upload", StorageApi.continue_upload),
        ("DELETE", f"/upload/storage/v1{_B}/o", "upload", StorageApi.cancel_upload),
    ]
]


class StorageServer:
    """Answers calls about buckets and objects.

    Args:
        buckets: The folder of the buckets.
        beside: A folder of the same file system, for what is not an object.
        faults: What goes wrong.
    """

    def __init__(self, buckets: Path, beside: Path, faults: Faults) -> None:
        self._api = StorageApi(buckets, beside)
        self._faults = faults

    @staticmethod
    def takes(path: str) -> bool:
        """Whether a path is one of the storage API's."""
        return path.startswith(_ROOTS)

    def serve(self, connection: Connection) -> None:
        """Nothing; the call is answered, or has met its fault."""
        body = Body(connection.rfile, int(connection.headers.get("Content-Length") or 0))
        fault: CallFault | None = None
        try:
            verb, answer, call = _read_call(connection, body)
            fault = self._fault(verb, connection)
            reply = self._answer(connection, call, answer, fault)
        except StorageError as error:
            reply = Reply(error.code, error.document())
        if reply is None:
            connection.reset()
            return
        body.drain()
        if fault and fault.retry_after_s is not None:
            reply = replace(reply, headers={**reply.headers, "Retry-After": str(fault.retry_after_s)})
        _send(connection, reply, None if body.was_trapped else fault)

    def _answer(self, connection: Connection, call: Call, answer: _Answer, fault: CallFault | None) -> Reply | None:
        """The reply; None where the connection is to be reset instead."""
        if fault is None:
            return answer(self._api, call)
        if fault.after_bytes is not None and call.body.length and not fault.broken:
            call.body.set_trap(fault.after_bytes, lambda: _strike(connection, fault))
            return answer(self._api, call)
        reply = answer(self._api, call) if fault.commit else None
        if fault.after_bytes is None:
            connection.wait(fault.stall_s)
        if reply and reply.media and (fault.reset or fault.code):
            reply.media.file.close()
        if fault.reset:
            return None
        if fault.code is not None:
            raise struck(fault.code)
        return reply or answer(self._api, call)

    def _fault(self, verb: str, connection: Connection) -> CallFault | None:
        content_range = connection.headers.get("Content-Range", "")
        is_final = verb != "upload" or not content_range.endswith("/*")
        try:
            return self._faults.storage_fault(verb, connection.headers.get(FAULT_HEADER), is_final=is_final)
        except UsageError as error:
            raise invalid(str(error)) from None


def _read_call(connection: Connection, body: Body) -> tuple[str, _Answer, Call]:
    if "chunked" in connection.headers.get("Transfer-Encoding", ""):
        connection.close_connection = True
        raise StorageError(411, "required", "A body needs a Content-Length.")
    target = urlsplit(connection.path)
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    found, verb, answer = _match(connection.command, target.path)
    if verb == "get" and query.get("alt") == "media":
        verb, answer = "read", StorageApi.read_object
    if verb == "upload" and connection.headers.get("Content-Range", "").startswith("bytes */"):
        verb = "query"
    path = {name: unquote(part) for name, part in found.groupdict().items()}
    base_url = f"http://{connection.headers.get('Host', '')}"
    return verb, answer, Call(path, query, connection.headers, body, base_url)


def _match(method: str, path: str) -> tuple[re.Match[str], str, _Answer]:
    for route_method, pattern, verb, answer in _ROUTES:
        found = pattern.fullmatch(path)
        if found and method == route_method:
            return found, verb, answer
    raise StorageError(404, "notFound", f"The emulator has no {method} {path}.")


def _strike(connection: Connection, fault: CallFault) -> None:
    connection.wait(fault.stall_s)
    if fault.code is not None:
        raise struck(fault.code)


def _send(connection: Connection, reply: Reply, fault: CallFault | None) -> None:
    text = b"" if reply.document is None or reply.code == 304 else msgspec.json.encode(reply.document)
    length = reply.media.length if reply.media else len(text)
    pieces: Iterable[bytes] = reply.media or [text]
    if fault and fault.final_only:
        # The testbench calls it a broken stream, and sends a short answer that is whole.
        pieces, length = [b"".join(pieces)[: fault.after_bytes or 0]], min(length, fault.after_bytes or 0)
    connection.send_response(reply.code)
    if reply.code not in {204, 304}:
        connection.send_header("Content-Length", str(length))
    if reply.document is not None:
        connection.send_header("Content-Type", "application/json; charset=UTF-8")
    for name, value in reply.headers.items():
        connection.send_header(name, value)
    connection.end_headers()
    left = length
    try:
        for piece in _iter_struck(connection, pieces, length, fault):
            connection.wfile.write(piece)
            left -= len(piece)
        if left:
            # Somebody cut the file meanwhile; the client must not wait for the rest.
            connection.close_connection = True
    finally:
        if reply.media:
            reply.media.file.close()


def _iter_struck(
    connection: Connection, pieces: Iterable[bytes], length: int, fault: CallFault | None
) -> Iterator[bytes]:
    """The answer's pieces as far as the fault lets them through."""
    if fault is None or not (fault.broken or fault.corrupt or fault.stall_s) or fault.final_only:
        yield from pieces
        return
    stop = min(length // 2, _FEW_BYTES) if fault.after_bytes is None else min(fault.after_bytes, length)
    sent = 0
    for number, piece in enumerate(pieces):
        if fault.corrupt and number == 0 and piece:
            yield bytes([piece[0] ^ 0xFF]) + piece[1:]
            continue
        if not fault.corrupt and sent <= stop < sent + len(piece):
            yield piece[: stop - sent]
            if fault.broken:
                return
            connection.wfile.flush()
            connection.wait(fault.stall_s if fault.after_bytes is not None else 0)
            yield piece[stop - sent :]
        else:
            yield piece
        sent += len(piece)
