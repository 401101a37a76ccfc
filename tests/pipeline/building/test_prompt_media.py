"""Media of prompts, through the public build."""

import base64
import io
import json
import os
import sys

import jsonschema
import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import geminate as gm
from geminate.adapters.folder import FolderStore
from geminate.connect import Where
from geminate.errors import InputError, SpecError, UsageError
from geminate.formats.prompts import open_prompts
from geminate.pipeline.build import BuildOptions, build_run
from geminate.pipeline.building import media_cells, prompt_media
from geminate.pipeline.building.prompt_media import Upload
from geminate.stages.requests import media_columns
from geminate.wire.limits import LIMITS
from geminate.wire.schemas import load_schema

PART = "{{ photo | part }}"


def spec(*parts, model="gemini-3.5-flash", **more):
    return gm.Spec(model, {"contents": [{"role": "user", "parts": [*(parts or [PART]), {"text": "What?"}]}]}, **more)


def parts_of(prompts, made=None, **more):
    """The parts of each line but the last, and what was wrong."""
    lines = gm.build(prompts, made or spec(), **more)
    parts = [json.loads(line)["request"]["contents"][0]["parts"][:-1] for line in lines]
    return parts, [(violation.line, violation.rule, violation.message) for violation in lines.violations]


def inline(mime_type, data):
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def stored(mime_type, uri):
    return {"fileData": {"fileUri": uri, "mimeType": mime_type}}


@pytest.fixture
def folder(tmp_path, media_bytes):
    for suffix, data in media_bytes.items():
        (tmp_path / f"a.{suffix}").write_bytes(data)
    return tmp_path


@pytest.fixture
def upload(tmp_path):
    return Upload("gs://media/below", Where(buckets_path=tmp_path / "buckets"))


def objects(tmp_path):
    return {path.name: path.read_bytes() for path in (tmp_path / "buckets").rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "pdf", "wav", "mp4", "txt"])
def test_paths_and_bytes_go_inline_to_the_byte(folder, media_bytes, media_types, suffix):
    data, path = media_bytes[suffix], str(folder / f"a.{suffix}")
    expected = [[inline(media_types[suffix], data)]]
    assert parts_of([{"photo": path}]) == (expected, [])
    assert parts_of([{"photo": {"bytes": data, "path": f"x.{suffix}"}}]) == (expected, [])
    assert parts_of([{"photo": {"bytes": None, "path": path}}, {"photo": {"bytes": b"", "path": None}}])[0] == expected
    if suffix != "txt":
        assert parts_of(pa.table({"photo": [data]})) == (expected, [])


@settings(max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5))
def test_base64_gives_the_bytes_back(cells):
    made = spec({"inlineData": {"mimeType": "{{ photo | mime }}", "data": "{{ photo | base64 }}"}},
                media={"photo": {"mime": "audio/pcm"}})  # fmt: skip
    parts, violations = parts_of(pa.table({"photo": cells}), made)
    assert violations == []
    assert [base64.b64decode(part["inlineData"]["data"]) for (part,) in parts] == cells


def test_uris_are_named_and_never_looked_at():
    uris = ["gs://bucket/a b/ü.png", "https://www.youtube.com/watch?v=aaaaaaaaaaa", 'gs://bucket/"x".PDF']
    parts, violations = parts_of([{"photo": uri} for uri in uris])
    assert violations == []
    types = ["image/png", "video/mp4", "application/pdf"]
    assert parts == [[stored(*pair)] for pair in zip(types, uris, strict=True)]


def test_relative_paths_are_the_prompt_files(folder, media_bytes, monkeypatch):
    below = folder / "below"
    below.mkdir()
    (below / "p.csv").write_text("photo\n../a.png\n./../a.png\n")
    monkeypatch.chdir(below)
    assert parts_of(folder / "below/p.csv") == ([[inline("image/png", media_bytes["png"])]] * 2, [])
    assert parts_of("p.csv")[1] == []
    assert parts_of([{"photo": "../a.png"}])[1] == []


def test_relative_paths_of_prompts_in_a_bucket_are_objects_beside_them(tmp_path):
    store = FolderStore(tmp_path)
    store.write("gs://bucket/sets/p.csv", [b"photo\nimages/a.png\n../b.png\n../../../c.png\n/nowhere/d.png\n"])
    prompts = open_prompts("gs://bucket/sets/p.csv", store=store)
    parts, violations = parts_of(prompts)
    uris = ["gs://bucket/sets/images/a.png", "gs://bucket/b.png", "gs://bucket/c.png"]
    assert parts == [[stored("image/png", uri)] for uri in uris]
    assert [(line, rule) for line, rule, _ in violations] == [(4, "schema.media_file")]


@pytest.mark.parametrize(
    "cell, rule, words",
    [
        ("http://example.com/a.png", "schema.file_uri", "nothing is fetched from it: download it"),
        ("https://example.com/a.png", "schema.file_uri", "or copy it to a bucket"),
        ("s3://bucket/a.png", "schema.file_uri", "media are named by a path"),
        ("data:image/png;base64,AAAA", "schema.file_uri", "give the bytes in a binary column"),
        ("gs://bucket", "schema.file_uri", "an object's URI is gs://bucket/object"),
        ("gs://bucket/a\n.png", "schema.file_uri", "no control characters"),
        ("gs://bucket/a", "schema.media_type", "its name does not say of which type it is"),
        ("nowhere.png", "schema.media_file", "nowhere.png: cannot be read (No such file or directory)"),
        ("", "schema.null_slot", "is null or empty"),
        ("a\0b.png", "schema.media_file", "'a\\x00b.png': cannot be read (embedded null byte)"),
        ("x" * 5000, "schema.media_file", "name too long"),
        ("a.gif", "schema.media_type", "it is image/gif, which Gemini does not take"),
        ("folder.png", "schema.media_file", "folder.png: is a folder"),
        ("pipe.png", "schema.media_file", "pipe.png: is no regular file"),
        ("empty.png", "schema.media_file", "empty.png: is empty"),
        ("loop.png", "schema.media_file", "loop.png: cannot be read (Too many levels of symbolic links)"),
        ("latin.txt", "schema.media_type", "is to be plain text, and is not UTF-8"),
        ("nul.txt", "schema.media_type", "is to be plain text, and holds NUL"),
        ("damaged.png", "schema.media_type", "its name says image/png, and its content is something else"),
    ],
)
def test_what_is_no_medium_rejects_its_row_alone(folder, monkeypatch, cell, rule, words):
    monkeypatch.chdir(folder)
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    for name, data in {"empty.png": b"", "latin.txt": b"\xfc", "nul.txt": b"a\0", "damaged.png": b"?"}.items():
        (folder / name).write_bytes(data)
    parts, violations = parts_of([{"photo": "a.png"}, {"photo": cell}, {"photo": "a.pdf"}])
    assert [part["inlineData"]["mimeType"] for (part,) in parts] == ["image/png", "application/pdf"]
    ((line, broken, message),) = violations
    assert (line, broken) == (2, rule)
    assert words in message.replace("File name", "name")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_rejects_its_row(folder):
    (folder / "a.png").chmod(0)
    assert "Permission denied" in parts_of([{"photo": str(folder / "a.png")}])[1][0][2]


def test_a_text_that_is_not_utf8_is_a_file_name_and_no_uri(folder):
    raw = pa.array([b"gs://bucket/\xfc.png", os.fsencode(folder) + b"/\xfc.png"]).view(pa.string())
    violations = parts_of(pa.table({"photo": raw}))[1]
    assert [rule for _, rule, _ in violations] == ["schema.file_uri", "schema.media_file"]
    assert all(message.isprintable() for *_, message in violations)


def test_symbolic_links_are_followed(folder, media_bytes):
    (folder / "link.png").symlink_to("a.png")
    assert parts_of([{"photo": str(folder / "link.png")}])[0] == [[inline("image/png", media_bytes["png"])]]


def test_a_null_rejects_or_a_default_part_stands_for_it(media_bytes):
    table = pa.table({"photo": [media_bytes["png"], None]})
    parts, violations = parts_of(table)
    assert [rule for _, rule, _ in violations] == ["schema.null_slot"]
    assert parts_of(table, spec(defaults={"photo": {"text": "none"}})) == ([*parts, [{"text": "none"}]], [])


def test_a_list_is_that_many_parts(media_bytes):
    png, pdf = media_bytes["png"], media_bytes["pdf"]
    table = pa.table({"photo": [[png, pdf], [png], [], None, [png, None]]})
    parts, violations = parts_of(table)
    assert parts == [[inline("image/png", png), inline("application/pdf", pdf)], [inline("image/png", png)]]
    assert [(line, rule) for line, rule, _ in violations] == [(line, "schema.null_slot") for line in (3, 4, 5)]


def test_models_take_so_many_images(media_bytes):
    table = pa.table({"photo": [[media_bytes["png"]] * count for count in (3, 4)]})
    parts, violations = parts_of(table, spec(model="gemini-2.5-flash-image"))
    assert len(parts) == 1
    assert violations == [(2, "limit.images", "4 images, where the model takes 3 at most")]
    videos = pa.table({"photo": [["gs://bucket/a.mp4"] * 11]})
    assert parts_of(videos)[1] == [(1, "limit.videos", "11 videos, where the model takes 10 at most")]


def test_content_is_followed_where_the_name_says_otherwise(media_bytes):
    lines = gm.build([{"photo": {"bytes": media_bytes["png"], "path": "a.jpg"}}] * 2, spec())
    assert [b"image/png" in line for line in lines] == [True, True]
    (note,) = lines.notes
    assert note.startswith("media: 2 of another type than the name says, and sent as what the content is; the first: ")
    assert note.endswith("a.jpg: its name says image/jpeg, and its content is image/png")


def test_the_spec_may_say_the_type():
    made = spec(media={"photo": {"mime": "image/x-new"}})
    assert parts_of(pa.table({"photo": [b"?"]}), made) == ([[inline("image/x-new", b"?")]], [])
    assert parts_of([{"photo": "gs://bucket/a"}], made) == ([[stored("image/x-new", "gs://bucket/a")]], [])
    lines = gm.build([{"photo": "gs://bucket/a"}], made)
    assert len(list(lines)) == 1
    assert lines.notes[0].startswith("media: 1 of a type that was not among those Gemini takes")


def test_what_is_wanted_of_a_medium_must_be_there(media_bytes):
    uri = spec({"fileData": {"fileUri": "{{ photo | uri }}", "mimeType": "{{ photo | mime }}"}})
    assert "has no '| uri'; upload it" in parts_of(pa.table({"photo": [media_bytes["png"]]}), uri)[1][0][2]
    data = spec({"inlineData": {"data": "{{ photo | base64 }}", "mimeType": "{{ photo | mime }}"}})
    assert "has no '| base64'; use '| part'" in parts_of([{"photo": "gs://bucket/a.png"}], data)[1][0][2]


def test_a_piece_of_a_video_is_said_beside_it():
    part = {
        "fileData": {"fileUri": "{{ photo | uri }}", "mimeType": "{{ photo | mime }}"},
        "videoMetadata": {"startOffset": "{{ start }}s", "endOffset": "{{ end }}s", "fps": "{{ fps }}"},
    }
    prompts = [{"photo": "gs://bucket/a.mp4", "start": 1, "end": end, "fps": 0.5} for end in ("7.5", "x")]
    parts, violations = parts_of(prompts, spec(part))
    metadata = {"startOffset": "1s", "endOffset": "7.5s", "fps": 0.5}
    assert parts == [[{**stored("video/mp4", "gs://bucket/a.mp4"), "videoMetadata": metadata}]]
    assert [rule for _, rule, _ in violations] == ["schema.duration"]


FIXED = [stored("image/png", f"gs://bucket/{number}.png") for number in range(4)]


def test_media_of_the_spec_itself_count_beside_those_of_the_prompts():
    mixed = spec(*FIXED[:2], PART, model="gemini-2.5-flash-image")
    prompts = pa.table({"photo": [["gs://bucket/a.png"], ["gs://bucket/a.png", "gs://bucket/b.png"]]})
    assert parts_of(prompts, mixed)[1] == [(2, "limit.images", "4 images, where the model takes 3 at most")]
    written = {"fileData": {"fileUri": "{{ photo | uri }}", "mimeType": "image/png"}}
    assert (
        parts_of([{"photo": "gs://bucket/a.png"}], spec(*FIXED[:2], written, model="gemini-2.5-flash-image"))[1] == []
    )


def test_a_spec_with_more_images_than_the_model_takes_stops_the_build():
    with pytest.raises(SpecError, match="4 images, where the model takes 3 at most") as caught:
        parts_of([{"a": "b"}], spec(*FIXED, model="gemini-2.5-flash-image"))
    assert caught.value.where == "spec: $.request.contents"


def test_media_are_not_read_again_for_predictions_that_have_a_key(folder, tmp_path, media_bytes):
    prompts = [{"key": "p1", "photo": str(folder / "a.png")}]
    (line,) = gm.build(prompts, spec())
    response = {"candidates": [{"content": {"parts": [{"text": "A cat."}]}, "finishReason": "STOP"}]}
    prediction = {**json.loads(line), "status": "", "response": response}
    (folder / "a.png").write_bytes(media_bytes["jpg"])
    for members, outcome in ((prediction, "ok"), ({**prediction, "key": None}, "missing")):
        kept = {name: value for name, value in members.items() if value is not None}
        (tmp_path / "p.jsonl").write_text(json.dumps(kept))
        rows = gm.join(prompts, tmp_path / "p.jsonl", spec())
        assert pa.table(rows)["gemini_outcome"].to_pylist() == [outcome]
        assert rows.report.suspects == 0


@pytest.mark.parametrize(
    "suffix, limit, rules",
    [
        ("png", "max_inline_image_bytes", ("limit.inline_image", None)),
        ("png", "max_gcs_image_bytes", (None, "limit.stored_image")),
        ("pdf", "max_document_bytes", ("limit.document", "limit.document")),
        ("txt", "max_text_bytes", ("limit.text_file", "limit.text_file")),
    ],
)
def test_sizes_are_kept_inline_and_in_the_store(folder, monkeypatch, suffix, limit, rules):
    path, upload = folder / f"a.{suffix}", Upload("gs://media", Where(buckets_path=folder / "buckets"))
    for size, is_right in ((path.stat().st_size, True), (path.stat().st_size - 1, False)):
        lower = msgspec.structs.replace(LIMITS, **{limit: size})
        monkeypatch.setattr(prompt_media, "limits_of", lambda _model, lower=lower: lower)
        for where, expected in zip((None, upload), rules, strict=True):
            _, violations = parts_of([{"photo": str(path)}], upload=where)
            assert [found for _, found, _ in violations] == ([] if is_right or expected is None else [expected])


def test_uploading_without_media_is_a_slip(upload):
    with pytest.raises(UsageError, match="the spec has no media to upload"):
        parts_of([{"a": "b"}], gm.Spec.from_prompt("gemini-3.5-flash", "{{ a }}"), upload=upload)


def test_a_line_must_stay_readable(monkeypatch, media_bytes):
    size = -(-len(media_bytes["wav"]) // 3) * 4
    for module in (media_cells, media_columns, prompt_media):
        monkeypatch.setattr(module, "MAX_INLINE_BYTES", 2 * size)
    table = pa.table({"photo": [[media_bytes["wav"]] * count for count in (2, 3)]})
    assert [(line, rule) for line, rule, _ in parts_of(table)[1]] == [(2, "limit.line_bytes")]
    assert "upload the media" in parts_of(table)[1][0][2]
    scaled = spec(media={"photo": {"max_edge": 16}})
    assert [(line, rule) for line, rule, _ in parts_of(table, scaled)[1]] == [(2, "limit.line_bytes")]
    monkeypatch.setattr(media_cells, "MAX_INLINE_BYTES", size - 1)
    single = pa.table({"photo": [media_bytes["wav"]]})
    assert "upload it" in parts_of(single)[1][0][2]


def test_images_are_scaled_down_where_the_spec_says(media_bytes, upload):
    made = spec(media={"photo": {"max_edge": 16}})
    for where in (None, upload):
        cells = [media_bytes["png"], media_bytes["pdf"], b"\x89PNG\r\n\x1a\n?", b"\0\0\0\x18ftypheic"]
        lines = gm.build(pa.table({"photo": cells}), made, upload=where)
        assert len(list(lines)) == 2
        assert [(found.line, found.rule) for found in lines.violations] == [
            (3, "schema.media_image"),
            (4, "schema.media_image"),
        ]
    ((part,),), _ = parts_of(pa.table({"photo": [media_bytes["png"]]}), made)
    image = Image.open(io.BytesIO(base64.b64decode(part["inlineData"]["data"])))
    assert (image.format, image.size) == ("PNG", (16, 8))


def test_what_lies_in_the_store_is_not_scaled_and_that_is_told():
    lines = gm.build([{"photo": "gs://bucket/a.png"}], spec(media={"photo": {"max_edge": 16}}))
    assert len(list(lines)) == 1
    assert lines.notes == ("media: 1 in Cloud Storage, and not scaled; the first: gs://bucket/a.png",)


def test_scaling_without_pillow_stops_the_build(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match="images are scaled with Pillow"):
        list(gm.build([{"photo": "a.png"}], spec(media={"photo": {"max_edge": 16}})))


def test_equal_content_is_stored_once_under_its_hash(folder, media_bytes, upload):
    paths = [str(folder / "a.png"), str(folder / "a.pdf")] * 20
    parts, violations = parts_of([{"photo": path} for path in paths], upload=upload)
    assert violations == []
    held = objects(folder)
    assert sorted(held.values()) == sorted([media_bytes["png"], media_bytes["pdf"]])
    assert {name.partition(".")[2] for name in held} == {"png", "pdf"}
    assert {part["fileData"]["fileUri"] for (part,) in parts} == {f"gs://media/below/{name}" for name in held}


def test_the_spec_may_say_what_is_uploaded_and_where(folder, media_bytes, upload):
    prompts = [{"photo": str(folder / "a.png"), "doc": str(folder / "a.pdf")}]
    both = [PART, "{{ doc | part }}"]
    (parts,), _ = parts_of(prompts, spec(*both, media={"doc": {"upload": False}}), upload=upload)
    assert [*parts[0], *parts[1]] == ["fileData", "inlineData"]
    made = spec(*both, media={"doc": {"upload": "gs://other/place"}})
    (parts,), _ = parts_of(prompts, made, upload=Upload(None, upload.where))
    assert parts[0] == inline("image/png", media_bytes["png"])
    assert parts[1]["fileData"]["fileUri"].startswith("gs://other/place/")
    with pytest.raises(InputError, match="not a Cloud Storage URI"):
        parts_of(prompts, spec(*both), upload=Upload("folder", upload.where))


def test_the_manifest_says_what_became_of_media(folder, media_bytes, upload):
    cells = [str(folder / "a.png"), str(folder / "a.png"), "gs://bucket/b.png", str(folder / "a.wav")]
    options = BuildOptions(upload=upload)
    records = []
    for name in ("one", "two"):
        manifest = build_run(open_prompts([{"photo": cell} for cell in cells]), spec(), folder / name, options)
        records.append((manifest.media.uploaded, manifest.media.reused, manifest.media.referred))
        named = [json.loads(line) for line in (folder / name / "media.jsonl").read_text().splitlines()]
        assert {(entry["mime_type"], entry["size_bytes"]) for entry in named} == {
            ("image/png", len(media_bytes["png"])),
            ("audio/wav", len(media_bytes["wav"])),
        }
        assert "media.jsonl" in [file.name for file in manifest.files]
        jsonschema.validate(json.loads((folder / name / "manifest.json").read_text()), load_schema("manifest"))
    assert records == [(2, 0, 1), (0, 2, 1)]
    inlined = build_run(open_prompts([{"photo": cell} for cell in cells]), spec(), folder / "three").media
    assert (inlined.inlined, inlined.inlined_bytes) == (3, 2 * len(media_bytes["png"]) + len(media_bytes["wav"]))
    assert not (folder / "three/media.jsonl").exists()
    assert build_run(open_prompts([{"a": 1}]), gm.Spec.from_prompt("m", "x"), folder / "four").media is None


def test_lines_do_not_depend_on_how_media_are_cut(folder, monkeypatch):
    cells = [str(folder / f"a.{suffix}") for suffix in ("png", "gif", "wav", "pdf", "mp4", "gif", "jpg")] * 3
    prompts = [{"photo": cell, "n": n} for n, cell in enumerate(cells)]
    made = spec(PART, {"text": "{{ n }}"})
    whole, violations = parts_of(prompts, made)
    for name in ("_STEP_BYTES", "_AHEAD_BYTES"):
        monkeypatch.setattr(prompt_media, name, 1000)
    lines = gm.build(prompts, made)
    blocks = [len(block.lines) for block in lines.iter_blocks()]
    assert len(blocks) > 3
    assert sum(blocks) == len(cells)
    assert parts_of(prompts, made) == (whole, violations)
    assert [line for line, _, _ in violations] == [2, 6, 9, 13, 16, 20]


def test_templates_and_json_cells_stand_beside_media(media_bytes):
    made = gm.Spec(
        "gemini-3.5-flash",
        {
            "contents": [{"parts": [PART, {"text": "{% if deep %}Deep: {% endif %}{{ words }}"}]}],
            "safetySettings": "{{ safety }}",
        },
    )
    safety = '[{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "OFF"}]'
    columns = {"photo": media_bytes["png"], "deep": True, "words": "Wide.", "safety": safety}
    lines = gm.build(pa.Table.from_pylist([columns, columns | {"safety": '[{"category": "?"}]'}]), made)
    (request,) = (json.loads(line)["request"] for line in lines)
    assert request["contents"][0]["parts"] == [inline("image/png", media_bytes["png"]), {"text": "Deep: Wide."}]
    assert {violation.line for violation in lines.violations} == {2}


def test_estimates_read_media_and_upload_nothing(folder):
    made = spec(media={"photo": {"upload": "gs://media/below"}})
    prompts = [{"photo": str(folder / "a.png")}, {"photo": "nowhere.png"}, {"photo": "gs://bucket/a.pdf"}]
    found = gm.estimate(prompts, made)
    assert (found.requests, found.rejected) == (2, 1)
    assert sum(found.media.values()) == 2


def test_predictions_are_known_by_requests_with_media(folder):
    prompts = [{"id": suffix, "photo": str(folder / f"a.{suffix}")} for suffix in ("png", "jpg", "pdf")]
    for where in (None, Upload("gs://media", Where(buckets_path=folder / "buckets"))):
        made = spec() if where is None else spec(media={"photo": {"upload": where.uri}})
        response = {"candidates": [{"content": {"parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]}
        requests = [json.loads(line)["request"] for line in gm.build(prompts, made, upload=where)]
        lines = [json.dumps({"request": request, "status": "", "response": response}) for request in requests]
        (folder / "predictions.jsonl").write_text("\n".join(reversed(lines)))
        rows = gm.join(prompts, folder / "predictions.jsonl", made, by="request").read_all()
        assert rows.select(["id", "gemini_outcome"]).to_pylist() == [
            {"id": prompt["id"], "gemini_outcome": "ok"} for prompt in prompts
        ]
