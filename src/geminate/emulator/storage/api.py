"""The calls on buckets and objects: what each takes, does and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geminate.emulator.storage.bodies import Body
from geminate.emulator.storage.checksums import compute_checksums, read_claims
from geminate.emulator.storage.copies import compose, copy
from geminate.emulator.storage.errors import invalid
from geminate.emulator.storage.listing import list_page
from geminate.emulator.storage.media import Media, open_media
from geminate.emulator.storage.objects import Facts, ObjectFolder, StoredObject
from geminate.emulator.storage.preconditions import read_number, read_preconditions
from geminate.emulator.storage.ranges import read_content_range
from geminate.emulator.storage.resources import encode_bucket, encode_object, patch_fields, read_fields
from geminate.emulator.storage.uploads import Upload, Uploads


@dataclass(frozen=True, slots=True)
class Call:
    """A call, read from its HTTP request.

    Attributes:
        path: The parts of the path by name, decoded.
        query: The query parameters.
        headers: The headers.
        body: The body.
        base_url: The URL that the caller knows this server by.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, Any]
    body: Body
    base_url: str

    @property
    def place(self) -> tuple[str, str]:
        """The bucket and the object of the path."""
        return self.path["bucket"], self.path["object"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a document, media or nothing."""

    code: int = 200
    document: dict[str, Any] | None = None
    media: Media | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class StorageApi:
    """Answers calls; every method raises ``StorageError`` where one is refused.

    Args:
        buckets: The folder of the buckets.
        beside: A folder of the same file system, for what is not an object.
    """

    def __init__(self, buckets: Path, beside: Path) -> None:
        self._objects = ObjectFolder(buckets, beside)
        self._uploads = Uploads(self._objects, beside / "uploads")
        self._uploaders: dict[str, Callable[[Call, str], Reply]] = {
            "media": self._upload_media,
            "multipart": self._upload_multipart,
            "resumable": self._start_upload,
        }

    def list_buckets(self, call: Call) -> Reply:
        """All buckets on one page."""
        items = [encode_bucket(name, call.base_url) for name in self._objects.bucket_names()]
        return Reply(document={"kind": "storage#buckets", "items": items})

    def make_bucket(self, call: Call) -> Reply:
        """The new bucket."""
        name = call.body.read_document().get("name")
        if not isinstance(name, str):
            raise invalid("A bucket needs a name.")
        self._objects.make_bucket(name)
        return Reply(document=encode_bucket(name, call.base_url))

    def get_bucket(self, call: Call) -> Reply:
        """The bucket."""
        self._objects.bucket_path(call.path["bucket"])
        return Reply(document=encode_bucket(call.path["bucket"], call.base_url))

    def list_objects(self, call: Call) -> Reply:
        """A page of the bucket's objects."""
        bucket = call.path["bucket"]
        page = list_page(self._objects.names(bucket), call.query)
        found = (self._objects.find(bucket, name) for name in page.names)
        document: dict[str, Any] = {"kind": "storage#objects"}
        if items := [encode_object(each, call.base_url) for each in found if each is not None]:
            document["items"] = items
        if page.prefixes:
            document["prefixes"] = page.prefixes
        if page.next_token:
            document["nextPageToken"] = page.next_token
        return Reply(document=document)

    def get_object(self, call: Call) -> Reply:
        """The object's resource."""
        return self._shown(call, self._found(call))

    def read_object(self, call: Call) -> Reply:
        """The object's bytes, or a range of them."""
        media = open_media(self._found(call), call.headers)
        return Reply(media.code, media=media, headers=media.headers)

    def patch_object(self, call: Call) -> Reply:
        """The object with other fields."""
        patch = call.body.read_document()
        conditions = read_preconditions(call.query)
        self._objects.get(*call.place, read_number(call.query, "generation"))
        found = self._objects.change(*call.place, conditions, lambda before: patch_fields(before, patch))
        return self._shown(call, found)

    def delete_object(self, call: Call) -> Reply:
        """Nothing; the object is gone."""
        generation = read_number(call.query, "generation")
        self._objects.delete(*call.place, generation, read_preconditions(call.query))
        return Reply(204)

    def compose_object(self, call: Call) -> Reply:
        """An object of the bytes of others, one after the other."""
        conditions = read_preconditions(call.query)
        return self._shown(call, compose(self._objects, *call.place, call.body.read_document(), conditions))

    def rewrite_object(self, call: Call) -> Reply:
        """The object's bytes under another name, in one step."""
        source = self._objects.get(*call.place, read_number(call.query, "sourceGeneration"))
        read_preconditions(call.query, "ifSource").check(source.generation, source.facts.metageneration)
        place = call.path["to_bucket"], call.path["to_object"]
        found = copy(self._objects, source, place, call.body.read_document(), read_preconditions(call.query))
        size = str(found.size)
        document = {"kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": True}
        return Reply(document={**document, "resource": encode_object(found, call.base_url)})

    def insert_object(self, call: Call) -> Reply:
        """The new object, or where to send its bytes to."""
        kind = call.query.get("uploadType", "")
        if kind not in self._uploaders:
            raise invalid(f"Invalid upload type: {kind!r}")
        return self._uploaders[kind](call, call.path["bucket"])

    def continue_upload(self, call: Call) -> Reply:
        """The object if that was all of it, else how far it is."""
        upload_id = call.query.get("upload_id", "")
        with self._uploads.hold(upload_id) as upload:
            if upload.generation:
                return self._shown(call, self._objects.get(upload.bucket, upload.name, upload.generation))
            first, total = read_content_range(call.headers.get("Content-Range"), call.body.length)
            if first is not None:
                is_last = first + call.body.length == total
                self._uploads.append(upload_id, first, call.body, is_last=is_last)
            kept = self._uploads.received(upload_id)
            if kept == total:
                claims = read_claims(call.headers, {})
                return self._shown(call, self._uploads.finish(upload_id, upload, claims))
        return Reply(308, headers={"Range": f"bytes=0-{kept - 1}"} if kept else {})

    def cancel_upload(self, call: Call) -> Reply:
        """Nothing; the upload is gone."""
        with self._uploads.hold(call.query.get("upload_id", "")):
            self._uploads.cancel(call.query["upload_id"])
        return Reply(499)

    def _upload_media(self, call: Call, bucket: str) -> Reply:
        fields = {"contentType": str(call.headers["Content-Type"])} if "Content-Type" in call.headers else {}
        return self._insert(call, bucket, fields, call.body)

    def _upload_multipart(self, call: Call, bucket: str) -> Reply:
        resource, media = call.body.read_multipart(str(call.headers.get("Content-Type", "")))
        return self._insert(call, bucket, resource, [media])

    def _insert(self, call: Call, bucket: str, resource: Mapping[str, Any], pieces: Any) -> Reply:
        name, conditions = _object_name(call, resource), read_preconditions(call.query)
        self._objects.check(bucket, name, conditions)
        arrived = self._objects.new_file()
        try:
            with arrived.open("wb") as file:
                file.writelines(pieces)
            read_claims(call.headers, resource).check(compute_checksums(arrived))
            facts = Facts(fields=read_fields(resource))
            return self._shown(call, self._objects.publish(arrived, bucket, name, facts, conditions))
        finally:
            arrived.unlink(missing_ok=True)

    def _start_upload(self, call: Call, bucket: str) -> Reply:
        resource: dict[str, Any] = call.body.read_document()
        if media_type := call.headers.get("X-Upload-Content-Type"):
            resource.setdefault("contentType", media_type)
        upload = Upload(
            bucket,
            _object_name(call, resource),
            fields=read_fields(resource),
            claims=read_claims(call.headers, resource),
            conditions=read_preconditions(call.query),
        )
        upload_id = self._uploads.start(upload)
        where = f"{call.base_url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload_id}"
        return Reply(headers={"Location": where, "X-GUploader-UploadID": upload_id})

    def _found(self, call: Call) -> StoredObject:
        found = self._objects.get(*call.place, read_number(call.query, "generation"))
        read_preconditions(call.query).check(found.generation, found.facts.metageneration, reading=True)
        return found

    def _shown(self, call: Call, found: StoredObject) -> Reply:
        return Reply(document=encode_object(found, call.base_url))


def _object_name(call: Call, resource: Mapping[str, Any]) -> str:
    name = call.query.get("name") or resource.get("name")
    if not isinstance(name, str) or not name:
        raise invalid("Required: an object needs a name.")
    return name
