"""Inline data of predictions, in files beside the joined rows."""

import base64
import json

import pytest

import geminate as gm
from geminate.errors import TargetError, UsageError
from geminate.pipeline.join import JoinSettings, open_join
from geminate.pipeline.written.outputs import write_joined


def prediction(key, *images, **siblings):
    parts = [{"inlineData": {"mimeType": "image/png", "data": base64.b64encode(image).decode()}} for image in images]
    response = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    return {"key": key, **siblings, "status": "", "response": response}


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        path = tmp_path / "predictions.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


@pytest.fixture
def media(tmp_path):
    return tmp_path / "some" / "media"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_medium_is_a_file_named_after_its_key(write, media):
    path = write(prediction("b", b"2"), prediction("a", b"1", b"one"), {"key": "c", "status": "gone", "response": {}})
    prompts = [{"key": key} for key in "abcd"]
    rows = gm.join(prompts, path, media=media).read_all().to_pylist()
    assert files(media) == {"a-1.png": b"1", "a-2.png": b"one", "b-1.png": b"2"}
    first = {"path": str(media / "a-1.png"), "mime_type": "image/png", "size_bytes": 1}
    second = {"path": str(media / "a-2.png"), "mime_type": "image/png", "size_bytes": 3}
    found = [row["gemini_media"] for row in rows]
    assert found[0] == [first, second]
    assert found[2:] == [None, None]


def test_only_what_stands_in_a_row_is_written(write, media):
    path = write(prediction("a", b"used"), prediction("a", b"duplicate"), prediction("z", b"orphan"))
    rows = gm.join([{"key": "a"}], path, media=media)
    rows.read_all()
    assert (rows.report.duplicates, rows.report.orphans) == (1, 1)
    assert files(media) == {"a-1.png": b"used"}


def test_keys_of_any_kind_stay_in_the_folder(write, media):
    keys = ["../../up", "/root", "..", "A", "a", "CON", "x" * 500]
    path = write(*(prediction(key, key.encode()) for key in keys))
    rows = gm.join([{"key": key} for key in keys], path, media=media).read_all().to_pylist()
    written = files(media)
    assert sorted(written.values()) == sorted(key.encode() for key in keys)
    assert len({name.casefold() for name in written}) == len(keys)
    for row in rows:
        (medium,) = row["gemini_media"]
        assert (media / medium["path"]).read_bytes() == row["key"].encode()


def test_the_same_again_is_fine_and_other_bytes_are_refused(write, media):
    path = write(prediction("a", b"1"))
    for _ in range(2):
        gm.join([{"key": "a"}], path, media=media).read_all()
    (media / "a-1.png").write_bytes(b"2")
    with pytest.raises(TargetError, match="other bytes"):
        gm.join([{"key": "a"}], path, media=media).read_all()
    assert files(media) == {"a-1.png": b"2"}


def test_media_that_cannot_be_read_keep_their_number(write, media):
    line = prediction("a", b"1", b"2")
    line["response"]["candidates"][0]["content"]["parts"][0]["inlineData"]["data"] = "%"
    (row,) = gm.join([{"key": "a"}], write(line), media=media).read_all().to_pylist()
    assert [medium["path"] for medium in row["gemini_media"]] == [None, str(media / "a-2.png")]
    assert files(media) == {"a-2.png": b"2"}


def test_predictions_alone_may_repeat_a_key_or_have_none(write, media):
    path = write(prediction("a", b"1"), prediction("b", b"2"), prediction("a", b"3", b"4"), prediction(None, b"5"))
    gm.read_predictions(path, media=media).read_all()
    assert files(media) == {
        "a-1.png": b"1",
        "b-1.png": b"2",
        "a-2.png": b"3",
        "a-3.png": b"4",
        "row~000000004-1.png": b"5",
    }


def test_predictions_without_siblings_are_named_after_their_rows(write, media):
    line = prediction("a", b"1")
    del line["key"]
    gm.read_predictions(write(line), media=media).read_all()
    assert files(media) == {"row~000000001-1.png": b"1"}


def test_without_a_folder_nothing_is_written(write, media):
    rows = gm.join([{"key": "a"}], write(prediction("a", b"1")))
    assert "gemini_media" not in rows.read_all().column_names
    assert not media.exists()


def test_the_folder_has_to_be_a_local_one(write):
    path = write(prediction("a", b"1"))
    with pytest.raises(UsageError, match="local folder"):
        gm.join([{"key": "a"}], path, media="gs://bucket/media")
    with pytest.raises(TargetError, match="not a folder"):
        gm.join([{"key": "a"}], path, media=path)
    with pytest.raises(TargetError, match="not a folder"):
        gm.join([{"key": "a"}], path, media=path / "below")


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv", ".arrow"])
def test_every_output_holds_every_content(write, tmp_path, media, suffix):
    line = prediction("a", b"1")
    line["response"]["candidates"][0] |= {
        "avgLogprobs": -0.5,
        "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probabilityScore": 0.5}],
        "groundingMetadata": {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "u"}}]},
        "citationMetadata": {"citations": [{"uri": "u"}]},
    }
    content = ("thoughts", "code", "citations", "grounding", "logprobs", "safety")
    settings = JoinSettings(content=content, media=media, keep_response=True)
    out = tmp_path / f"rows{suffix}"
    joined = write_joined(open_join([{"key": "a"}, {"key": "b"}], [str(write(line))], None, settings), out)
    assert joined.rows == 2
    assert out.stat().st_size > 0
    if suffix == ".jsonl":
        names = [*(f"gemini_{name}" for name in ("source", "response", *content, "media"))]
        rows = [json.loads(text) for text in out.read_text().splitlines()]
        assert list(rows[0])[-len(names) :] == names
        assert [rows[1][name] for name in names] == [None] * len(names)
        assert rows[0]["gemini_grounding"]["sources"] == [{"uri": "u", "title": None, "domain": None}]
        assert rows[0]["gemini_media"][0]["path"] == str(media / "a-1.png")
