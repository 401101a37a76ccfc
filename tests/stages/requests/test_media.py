import pyarrow as pa
import pytest

from geminate.errors import SpecError
from geminate.stages.requests import compile_requests
from geminate.stages.specs import Spec

SCHEMA = pa.schema(
    {
        "photo": pa.binary(),
        "path": pa.string(),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "paths": pa.list_(pa.string()),
        "n": pa.int64(),
        "row": pa.struct({"bytes": pa.string(), "path": pa.string()}),
    }
)


def compiled(parts, **more):
    return compile_requests(Spec("m", {"contents": [{"parts": parts}]}, origin="spec.yaml", **more), SCHEMA)


def test_each_cell_is_one_slot_however_often_it_is_used():
    encoder = compiled(
        [
            "{{ photo | part }}",
            {"inlineData": {"data": "{{ photo | base64 }}", "mimeType": "{{ photo | mime }}"}},
            "{{ image.path | part }}",
            "{{ photo | part }}",
        ]
    )
    assert [(slot.name, dict(slot.wanted), slot.count) for slot in encoder.media] == [
        ("photo", {"part": 2, "base64": 1, "mime": 1}, 3),
        ("image.path", {"part": 1}, 1),
    ]
    assert encoder.media[0].path == "$.request.contents[0].parts[0]"
    assert encoder.free_paths == ()


@pytest.mark.parametrize(
    "parts, message",
    [
        (
            [{"text": "{{ photo | part }}"}],
            r"spec.yaml: \$.request.contents\[0\].parts\[0\].text: .*no part of a content",
        ),
        ("{{ paths | part }}", "no part of a content here; let it stand by itself among 'parts'"),
        (["{{ n | part }}"], "'n' holds int64, where media are paths, URIs, bytes, or structs"),
        (["{{ row | part }}"], "'row' holds struct"),
        ([{"fileData": {"fileUri": "{{ paths | uri }}", "mimeType": "image/png"}}], "'paths' holds list"),
        (["{{ foto | part }}"], "no column 'foto'; did you mean 'photo'"),
        ([{"text": "{{ photo }}"}], "'photo' holds binary, which has no text"),
    ],
)
def test_what_cannot_be_a_medium_stops_the_build(parts, message):
    with pytest.raises(SpecError, match=message):
        compiled(parts)


@pytest.mark.parametrize(
    "parts, default",
    [
        (["{{ path | part }}"], "gs://bucket/a.png"),
        ([{"fileData": {"fileUri": "{{ path | uri }}", "mimeType": "image/png"}}], {"text": "none"}),
    ],
)
def test_only_a_part_stands_for_a_medium(parts, default):
    with pytest.raises(SpecError, match="the default of 'path' cannot stand for a medium"):
        compiled(parts, defaults={"path": default})


def test_the_request_shows_parts_and_their_defaults_to_the_checks():
    parts = compiled(["{{ path | part }}", {"text": "x"}], defaults={"path": {"text": "none"}}).request["contents"][0][
        "parts"
    ]
    assert parts == [
        {"fileData": {"fileUri": "gs://bucket/object", "mimeType": "image/png"}},
        {"text": "x"},
        {"text": "none"},
    ]
