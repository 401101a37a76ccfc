"""A run's folder: the names in it, and its manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from geminate.errors import InputError
from geminate.formats.atomic import HIDDEN_PREFIX, HIDDEN_SUFFIX

MANIFEST_NAME = "manifest.json"
SPEC_NAME = "spec.json"
VIOLATIONS_NAME = "violations.jsonl"
MEDIA_NAME = "media.jsonl"
FOLLOWERS_NAME = "followers.arrow"
EMULATOR_NAME = "emulator"
MANIFEST_FACT = "manifest_sha256"
"""The ledger's fact that vouches for the manifest, as the manifest does for the other files."""

RETRY_FILES_FACT = "retry_files"
"""The ledger's fact that vouches for the request lines of later attempts, by file name."""

RETRY_CHANGES_FACT = "retry_changes"
"""The ledger's fact that says what later attempts asked otherwise, and of how many prompts, by attempt id."""

REJECT_COLUMN = "__geminate_reject"
"""The column of a shard's prompts that says why a prompt is not sent, null where it is."""


class SourceRecord(msgspec.Struct, frozen=True):
    """One source of prompts, as it was when the run was built."""

    uri: str
    size_bytes: int
    crc32c: int


class PromptsRecord(msgspec.Struct, frozen=True):
    """The prompts of a run: how many, which of what there was, and from where.

    Attributes:
        count: How many there were.
        rejected: Those that broke a rule.
        selection: Which of the sources' rows were taken, in words.
        identity: The sources.
        followers: Those that share the request of an earlier one, which alone is sent.
    """

    count: int
    rejected: int
    selection: str
    identity: tuple[SourceRecord, ...]
    followers: int = 0


class ShardRecord(msgspec.Struct, frozen=True):
    """One shard: its request lines, and how many prompts they came from, the rejected ones included.

    Attributes:
        name: Its name.
        rows: Its request lines.
        size_bytes: Their length.
        sha256: Their hash.
        prompts: The prompts that they came from.
        crc32c: Their Castagnoli checksum, which a store tells of an object; None in a run of an earlier Geminate.
    """

    name: str
    rows: int
    size_bytes: int
    sha256: str
    prompts: int
    crc32c: int | None = None


class FileRecord(msgspec.Struct, frozen=True):
    """One file of the folder."""

    name: str
    sha256: str


class MediaRecord(msgspec.Struct, frozen=True):
    """What became of a run's media.

    Attributes:
        upload_uri: Where they were stored, None where nothing but the spec says.
        inlined: How many stand in request lines.
        inlined_bytes: Their bytes, before base64.
        referred: How many request lines name, those uploaded not counted.
        uploaded: How many different ones were stored.
        uploaded_bytes: Their bytes.
        reused: How many different ones the store held already.
        scaled: How many images were made smaller.
    """

    upload_uri: str | None
    inlined: int
    inlined_bytes: int
    referred: int
    uploaded: int
    uploaded_bytes: int
    reused: int
    scaled: int


class Manifest(msgspec.Struct, frozen=True):
    """What a build made; written last, so that a folder that has it is whole."""

    geminate: str
    created: str
    run_id: str
    model: str
    spec_fingerprint: str
    prompts: PromptsRecord
    key: str
    key_generated: bool
    notes: tuple[str, ...]
    shards: tuple[ShardRecord, ...]
    files: tuple[FileRecord, ...]
    media: MediaRecord | None = None
    for_table: bool = False

    @property
    def is_deduped(self) -> bool:
        """Whether equal requests are sent once."""
        return any(record.name == FOLLOWERS_NAME for record in self.files)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    def requests_path(self, shard: str, attempt: int = 1) -> Path:
        """The request lines of a shard's attempt; those of a later one are fewer."""
        return self.path / (f"requests-{shard}.jsonl" if attempt == 1 else f"requests-{shard}-{attempt}.jsonl")

    def prompts_path(self, shard: str) -> Path:
        """The prompts of a shard, the rejected ones included."""
        return self.path / f"prompts-{shard}.arrow"

    @property
    def emulator_path(self) -> Path:
        """Where the embedded emulator keeps its jobs and buckets."""
        return self.path / EMULATOR_NAME

    def sweep(self) -> None:
        """Nothing; what a killed process was writing here is gone. Only who holds the run's lock may ask for it."""
        for path in self.path.glob(f"{HIDDEN_PREFIX}*{HIDDEN_SUFFIX}"):
            path.unlink(missing_ok=True)

    def read_manifest(self) -> Manifest:
        """The manifest.

        Raises:
            InputError: The folder is not a run, or its manifest is damaged.
        """
        path = self.path / MANIFEST_NAME
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                "not the folder of a run", where=str(self.path), remedy="make one with geminate build"
            ) from None
        except msgspec.MsgspecError as error:
            raise InputError(
                f"the manifest is damaged: {error}", where=str(path), remedy="build the run again"
            ) from error

    def write_json(self, name: str, document: Any) -> FileRecord:
        """The file's record; it is on disk whole, indented for people."""
        text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        with open_synced(self.path / name) as file:
            file.write(text)
        return FileRecord(name, hashlib.sha256(text).hexdigest())

    def read_json(self, name: str) -> Any:
        """A JSON file of the folder."""
        return msgspec.json.decode((self.path / name).read_bytes())


def is_run(name: str | Path) -> bool:
    """Whether a folder of that name holds a run."""
    return (Path(name) / MANIFEST_NAME).is_file()


@contextmanager
def open_synced(path: Path) -> Iterator[BinaryIO]:
    """A new file whose bytes are on the disk once the block has ended well."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
