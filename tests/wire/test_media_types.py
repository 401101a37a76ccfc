import json
from datetime import date
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.wire.media_types import MEDIA_KINDS, find_type, suffix_of, type_of_name, types_of_content

FACTS = json.loads((resources.files("geminate") / "wire/data/media_types.json").read_text("utf-8"))


@pytest.mark.parametrize("part", ["taken", "suffixes", "signatures"])
def test_every_table_is_dated_and_has_its_source(part):
    facts = FACTS[part]
    assert date.fromisoformat(facts["date"])
    sources = [kind["source"] for kind in facts["kinds"].values()] if part == "taken" else [facts["source"]]
    assert all(source.startswith("https://") for source in sources)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "pdf", "wav", "mp4"])
def test_content_tells_the_type_whatever_the_name(media_bytes, media_types, suffix):
    head, mime_type = media_bytes[suffix], media_types[suffix]
    assert find_type(head, f"a.{suffix}").note == ""
    for name in (f"a.{suffix}", f"A.{suffix.upper()}", None, "a", "a.unknown", "folder.gif/a"):
        assert find_type(head, name).mime_type == mime_type
    found = find_type(head, "a.flac")
    assert found.mime_type == mime_type
    assert found.note == f"its name says audio/flac, and its content is {mime_type}"
    assert type_of_name(f"a{suffix_of(mime_type)}") == mime_type


@pytest.mark.parametrize(
    "head, name, mime_type",
    [
        (b"\0\0\0\x18ftypheic", None, "image/heic"),
        (b"\0\0\0\x18ftypmif1", "a.heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1", None, "image/heif"),
        (b"\0\0\0\x18ftypM4A ", "a.m4a", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "a.m4a", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "a.mov", "video/quicktime"),
        (b"\0\0\0\x18ftypqt  ", None, "video/quicktime"),
        (b"\x1aE\xdf\xa3", "a.weba", "audio/webm"),
        (b"\x1aE\xdf\xa3", None, "video/webm"),
        (b"ID3\4", "a.mp3", "audio/mpeg"),
        (b"\xff\xfb\x90\0", None, "audio/mpeg"),
        (b"\xff\xf1P\x80", "a.aac", "audio/x-aac"),
        (b"\xff\xfeh\0", "a.txt", "text/plain"),
        (b"anything", "a.pcm", "audio/pcm"),
        (None, "gs://bucket/folder.pdf/a.jpeg", "image/jpeg"),
    ],
)
def test_the_name_decides_what_the_content_leaves_open(head, name, mime_type):
    assert find_type(head, name).mime_type == mime_type


@pytest.mark.parametrize(
    "head, name, trouble",
    [
        (b"GIF89a", "a.png", "it is image/gif, which Gemini does not take"),
        (b"\x1aE\xdf\xa3", "a.mkv", "it is video/matroska, which Gemini does not take"),
        (b"RIFF\0\0\0\0AVI LIST", "a.avi", "it is video/x-msvideo"),
        (b"PK\3\4", "a.docx", "it is application/zip"),
        (b"<html>", "a.png", "its name says image/png, and its content is something else or damaged"),
        (b"\x89PN", "a.png", "something else or damaged"),
        (b"<html>", "a.html", "its name says text/html, which Gemini does not take"),
        (b"hello", None, "neither its content nor its name says"),
        (b"hello", ".png/", "neither its content nor its name says"),
        (None, "gs://bucket/a", "its name does not say"),
        (None, "gs://bucket/a.gif", "image/gif, which Gemini does not take"),
    ],
)
def test_what_is_not_taken_is_said(head, name, trouble):
    found = find_type(head, name)
    assert found.mime_type is None
    assert trouble in found.trouble


@settings(max_examples=200)
@given(head=st.none() | st.binary(max_size=600), name=st.none() | st.text(max_size=20))
def test_a_type_is_one_that_is_taken_or_there_is_trouble(head, name):
    found = find_type(head, name)
    assert (found.mime_type in MEDIA_KINDS) == (found.trouble == "")


@given(st.sampled_from(FACTS["signatures"]["table"]), st.binary(max_size=40))
def test_a_signature_is_found_whatever_follows(signature, rest):
    head = bytearray(16)
    for offset, bits, *_ in signature["marks"]:
        head[offset : offset + len(bits) // 2] = bytes.fromhex(bits)
    assert types_of_content(bytes(head) + rest)[0] in {
        mime_type for other in FACTS["signatures"]["table"] for mime_type in other["types"]
    }
