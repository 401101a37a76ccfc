"""Buckets and objects as the API's JSON shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from geminate.emulator.storage.errors import invalid
from geminate.emulator.storage.objects import StoredObject

_WRITABLE = frozenset(
    [
        "cacheControl",
        "contentDisposition",
        "contentEncoding",
        "contentLanguage",
        "contentType",
        "customTime",
        "metadata",
    ]
)
_DEFAULT_CONTENT_TYPE = "application/octet-stream"


def encode_bucket(name: str, base_url: str) -> dict[str, Any]:
    """The resource of a bucket."""
    return {
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"{base_url}/storage/v1/b/{name}",
        "name": name,
        "projectNumber": "0",
        "metageneration": "1",
        "location": "US",
        "locationType": "multi-region",
        "storageClass": "STANDARD",
        "etag": "CAE=",
    }


def encode_object(found: StoredObject, base_url: str) -> dict[str, Any]:
    """The resource of an object; its bytes are read for their checksums, unless they were before."""
    facts, checksums = found.facts, found.checksums()
    path = f"b/{found.bucket}/o/{quote(found.name, safe='')}"
    created, updated = _time(found.generation / 1e9), _time(facts.updated_s)
    return {
        "kind": "storage#object",
        "id": f"{found.bucket}/{found.name}/{found.generation}",
        "selfLink": f"{base_url}/storage/v1/{path}",
        "mediaLink": f"{base_url}/download/storage/v1/{path}?generation={found.generation}&alt=media",
        "name": found.name,
        "bucket": found.bucket,
        "generation": str(found.generation),
        "metageneration": str(facts.metageneration),
        "contentType": _DEFAULT_CONTENT_TYPE,
        **facts.fields,
        "storageClass": "STANDARD",
        "size": str(found.size),
        "crc32c": checksums.crc32c,
        **({"md5Hash": checksums.md5} if checksums.md5 else {}),
        **({"componentCount": facts.components} if facts.components else {}),
        "etag": etag(found),
        "timeCreated": created,
        "updated": updated,
        "timeStorageClassUpdated": created,
    }


def etag(found: StoredObject) -> str:
    """What tells one state of an object from another."""
    return f"{found.generation:x}/{found.facts.metageneration:x}"


def read_fields(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What a caller may set of a new object, out of its resource.

    Raises:
        StorageError: 400, one is not of its kind.
    """
    fields = {name: value for name, value in resource.items() if name in _WRITABLE and value is not None}
    for name, value in fields.items():
        kind: type = dict if name == "metadata" else str
        if not isinstance(value, kind):
            raise invalid(f"Invalid value for {name}: {value!r}")
    return fields


def patch_fields(before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The fields after a patch: null takes one away, and own metadata is patched member by member."""
    own = {**before.get("metadata", {}), **(patch.get("metadata") or {})}
    merged = {**before, **{name: patch[name] for name in _WRITABLE & patch.keys()}}
    if "metadata" in patch:
        kept = {name: value for name, value in own.items() if value is not None}
        merged["metadata"] = kept if patch["metadata"] is not None and kept else None
    return read_fields(merged)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
