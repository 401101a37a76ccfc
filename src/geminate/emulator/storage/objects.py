"""Objects as files: ``gs://bucket/name`` is ``<folder>/bucket/name``, and its generation is the time of its change.

Whoever else works with the folder sees the same objects, and the same generations. What a file cannot say of its
object (its metadata) lies in a folder beside, and counts only for the generation that it was written for.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from geminate.emulator.storage.checksums import Checksums, compute_checksums
from geminate.emulator.storage.errors import StorageError, no_bucket, no_object, not_emulated
from geminate.emulator.storage.preconditions import Preconditions

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file does not say of its object.

    Attributes:
        generation: The generation that they are true of.
        metageneration: How often they changed, from 1.
        updated_s: When they last did.
        fields: What callers may set: content type and encoding, own metadata and such.
        components: Of how many objects it was composed, None for one that was uploaded.
    """

    generation: int = 0
    metageneration: int = 1
    updated_s: float = 0
    fields: dict[str, Any] = {}
    components: int | None = None


class StoredObject(msgspec.Struct, frozen=True):
    """One object, as it was when it was looked at."""

    bucket: str
    name: str
    path: Path
    size: int
    facts: Facts

    @property
    def generation(self) -> int:
        """Its version."""
        return self.facts.generation

    def checksums(self) -> Checksums:
        """The checksums of its bytes."""
        found = compute_checksums(self.path)
        return found if self.facts.components is None else Checksums(found.crc32c)


class ObjectFolder:
    """The objects of an emulator.

    Args:
        buckets: The folder of the buckets.
        beside: A folder of the same file system, for what is not an object.
    """

    def __init__(self, buckets: Path, beside: Path) -> None:
        self.buckets = buckets
        self._facts = beside / "facts"
        self._arriving = beside / "arriving"
        self._changing = threading.RLock()
        self._last_generation = 0

    def bucket_names(self) -> list[str]:
        """The names of all buckets, in order."""
        return sorted(path.name for path in self.buckets.iterdir() if path.is_dir() and _BUCKET.fullmatch(path.name))

    def make_bucket(self, name: str) -> None:
        """Nothing; there is a new bucket.

        Raises:
            StorageError: 409 or 400, it is there already, or no bucket can be called so.
        """
        if not _BUCKET.fullmatch(name):
            raise StorageError(400, "invalid", f"Invalid bucket name: '{name}'")
        try:
            (self.buckets / name).mkdir()
        except FileExistsError:
            raise StorageError(409, "conflict", "Your previous request to create the named bucket succeeded.") from None

    def bucket_path(self, name: str) -> Path:
        """The bucket's folder.

        Raises:
            StorageError: 404, there is none.
        """
        path = self.buckets / name
        if not _BUCKET.fullmatch(name) or not path.is_dir():
            raise no_bucket()
        return path

    def names(self, bucket: str) -> list[str]:
        """The names of the bucket's objects, in order; files whose name begins with a dot are writes in flight."""
        top, found = self.bucket_path(bucket), []
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(folder).relative_to(top)
            found += [(below / name).as_posix() for name in files if not name.startswith(".")]
        return sorted(found)

    def find(self, bucket: str, name: str) -> StoredObject | None:
        """The object, None where there is none.

        Raises:
            StorageError: 404 or 400, there is no such bucket, or a folder cannot hold an object of that name.
        """
        path = self._path(bucket, name)
        with self._changing:
            try:
                status = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if not path.is_file():
                return None
            facts = self._read_facts(bucket, name)
        if facts.generation != status.st_mtime_ns:
            facts = Facts(generation=status.st_mtime_ns, updated_s=status.st_mtime)
        return StoredObject(bucket, name, path, status.st_size, facts)

    def get(self, bucket: str, name: str, generation: int | None = None) -> StoredObject:
        """The object, of that generation if one is named.

        Raises:
            StorageError: 404, there is none.
        """
        found = self.find(bucket, name)
        if found is None or generation not in {None, found.generation}:
            raise no_object(bucket, name)
        return found

    def check(self, bucket: str, name: str, conditions: Preconditions) -> None:
        """Nothing, where the preconditions hold for whatever has that name now."""
        found = self.find(bucket, name)
        conditions.check(found.generation if found else 0, found.facts.metageneration if found else 0)

    def new_file(self) -> Path:
        """A path for bytes that are no object yet."""
        self._arriving.mkdir(parents=True, exist_ok=True)
        return self._arriving / secrets.token_hex(8)

    def publish(self, arrived: Path, bucket: str, name: str, facts: Facts, conditions: Preconditions) -> StoredObject:
        """The new object: the file's bytes in one step, if the preconditions hold at that moment.

        Raises:
            StorageError: 412, 404 or 400: they do not hold, or there is no place for it.
        """
        path = self._path(bucket, name)
        with self._changing:
            self.check(bucket, name, conditions)
            generation = self._last_generation = max(time.time_ns(), self._last_generation + 1)
            os.utime(arrived, ns=(generation, generation))
            self._write_facts(
                bucket, name, msgspec.structs.replace(facts, generation=generation, updated_s=generation / 1e9)
            )
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if conditions.generation_match == 0:
                    # A link never takes the place of what came by another way since the look.
                    path.hardlink_to(arrived)
                    arrived.unlink()
                else:
                    arrived.replace(path)
            except FileExistsError:
                self.check(bucket, name, conditions)
                raise _unfit(name) from None
            except (NotADirectoryError, IsADirectoryError):
                raise _unfit(name) from None
            return self.get(bucket, name)

    def change(
        self, bucket: str, name: str, conditions: Preconditions, changed: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> StoredObject:
        """The object with other fields: one metageneration more, the same generation."""
        with self._changing:
            found = self.get(bucket, name)
            conditions.check(found.generation, found.facts.metageneration)
            facts = msgspec.structs.replace(
                found.facts,
                metageneration=found.facts.metageneration + 1,
                updated_s=time.time(),
                fields=changed(found.facts.fields),
            )
            self._write_facts(bucket, name, facts)
            return self.get(bucket, name)

    def delete(self, bucket: str, name: str, generation: int | None, conditions: Preconditions) -> None:
        """Nothing; the object is gone."""
        with self._changing:
            found = self.get(bucket, name, generation)
            conditions.check(found.generation, found.facts.metageneration)
            found.path.unlink()
            self._facts_path(bucket, name).unlink(missing_ok=True)

    def _path(self, bucket: str, name: str) -> Path:
        parts = name.split("/")
        if any(not part or part.startswith(".") or "\0" in part or len(part.encode()) > 255 for part in parts):
            self.bucket_path(bucket)
            raise _unfit(name)
        return self.bucket_path(bucket).joinpath(*parts)

    def _facts_path(self, bucket: str, name: str) -> Path:
        return self._facts / bucket / f"{blake2b(name.encode(), digest_size=16).hexdigest()}.json"

    def _read_facts(self, bucket: str, name: str) -> Facts:
        try:
            return msgspec.json.decode(self._facts_path(bucket, name).read_bytes(), type=Facts)
        except FileNotFoundError:
            return Facts()

    def _write_facts(self, bucket: str, name: str, facts: Facts) -> None:
        path, hidden = self._facts_path(bucket, name), self.new_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(msgspec.json.encode(facts))
        hidden.replace(path)


def _unfit(name: str) -> StorageError:
    return not_emulated(f"a folder cannot hold an object called {name!r}")
