"""Resumable uploads: bytes that arrive in order over any number of calls, and are an object only at the end."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from geminate.emulator.storage.bodies import Body
from geminate.emulator.storage.checksums import Claims, compute_checksums
from geminate.emulator.storage.errors import StorageError, invalid
from geminate.emulator.storage.objects import Facts, ObjectFolder, StoredObject
from geminate.emulator.storage.preconditions import Preconditions

_QUANTUM_BYTES = 256 * 1024
"""All but the last call bring a multiple of it (documentation of resumable uploads, 2026-11)."""


class Upload(msgspec.Struct, omit_defaults=True):
    """One resumable upload.

    Attributes:
        bucket: Where the object will be.
        name: How it will be called.
        fields: What the caller set of it.
        claims: What the caller said of its checksums.
        conditions: What must hold when it starts, and once more when it ends.
        generation: What it became, 0 until then.
    """

    bucket: str
    name: str
    fields: dict[str, Any] = {}
    claims: Claims = Claims()
    conditions: Preconditions = Preconditions()
    generation: int = 0


class Uploads:
    """The uploads under way; they outlive a killed emulator.

    Args:
        objects: Where the objects go.
        folder: Where their bytes are until then.
    """

    def __init__(self, objects: ObjectFolder, folder: Path) -> None:
        self._objects = objects
        self._folder = folder
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def start(self, upload: Upload) -> str:
        """The id of a new upload.

        Raises:
            StorageError: A precondition does not hold already, or the bucket is not there.
        """
        self._objects.check(upload.bucket, upload.name, upload.conditions)
        self._folder.mkdir(parents=True, exist_ok=True)
        upload_id = secrets.token_hex(16)
        (self._folder / upload_id).touch()
        self._save(upload_id, upload)
        return upload_id

    @contextmanager
    def hold(self, upload_id: str) -> Iterator[Upload]:
        """The upload, for one call at a time.

        Raises:
            StorageError: 404, there is none of this id, or no longer.
        """
        if not upload_id.isalnum():
            raise _unknown()
        with self._locks[upload_id]:
            try:
                text = (self._folder / f"{upload_id}.json").read_bytes()
            except FileNotFoundError:
                raise _unknown() from None
            yield msgspec.json.decode(text, type=Upload)

    def received(self, upload_id: str) -> int:
        """How many bytes are kept."""
        return (self._folder / upload_id).stat().st_size

    def append(self, upload_id: str, first: int, body: Body, *, is_last: bool) -> None:
        """Nothing; the bytes are kept, as far as they are new.

        Of bytes whose call broke off, whole multiples of 256 KiB are kept.

        Raises:
            StorageError: 400 or 503, they do not fit to those before.
        """
        kept = self.received(upload_id)
        if first > kept:
            raise StorageError(503, "backendError", f"The bytes before {first} have not arrived: {kept} are kept.")
        if not is_last and body.length % _QUANTUM_BYTES:
            raise invalid(f"All but the last call must bring a multiple of {_QUANTUM_BYTES} bytes.")
        with (self._folder / upload_id).open("r+b") as file:
            place = file.seek(0, 2)
            skipped = kept - first
            try:
                for piece in body:
                    place += file.write(piece[skipped:])
                    skipped = max(0, skipped - len(piece))
            except BaseException:
                file.flush()
                file.truncate(max(kept, place - place % _QUANTUM_BYTES))
                raise

    def finish(self, upload_id: str, upload: Upload, claims: Claims) -> StoredObject:
        """The object; whether it came about or not, the upload is over.

        Raises:
            StorageError: 400 or 412, a checksum is wrong or a precondition does not hold.
        """
        bytes_path = self._folder / upload_id
        try:
            actual = compute_checksums(bytes_path)
            upload.claims.check(actual)
            claims.check(actual)
            facts = Facts(fields=upload.fields)
            found = self._objects.publish(bytes_path, upload.bucket, upload.name, facts, upload.conditions)
        except StorageError:
            self.cancel(upload_id)
            raise
        upload.generation = found.generation
        self._save(upload_id, upload)
        return found

    def cancel(self, upload_id: str) -> None:
        """Nothing; the upload is gone."""
        (self._folder / upload_id).unlink(missing_ok=True)
        (self._folder / f"{upload_id}.json").unlink(missing_ok=True)

    def _save(self, upload_id: str, upload: Upload) -> None:
        hidden = self._objects.new_file()
        hidden.write_bytes(msgspec.json.encode(upload))
        hidden.replace(self._folder / f"{upload_id}.json")


def _unknown() -> StorageError:
    return StorageError(404, "notFound", "There is no such upload, or no longer.")
