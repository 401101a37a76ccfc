import pytest

from geminate.errors import SpecError
from geminate.stages.specs import MediaOptions, Slot, Spec, parse_text


def spec(media, part="{{ photo | part }}"):
    return Spec("m", {"contents": [{"parts": [part]}]}, media=media)


@pytest.mark.parametrize("what", ["part", "base64", "mime", "uri"])
def test_a_slot_says_what_of_a_medium_it_wants(what):
    assert parse_text(f"{{{{ row.photo | {what} }}}}", "here") == (Slot("row", ("photo",), medium=what),)


@pytest.mark.parametrize("what", ["part", "base64"])
def test_a_medium_stands_in_no_text(what):
    with pytest.raises(SpecError, match=rf"'\| {what}' makes a value of its own"):
        parse_text(f"See {{{{ photo | {what} }}}}.", "here")


def test_options_are_told_by_slot():
    made = spec({"photo": {"max_edge": 100, "upload": False}})
    assert made.media_options("photo") == MediaOptions(max_edge=100, upload=False)
    assert made.media_options("other") == MediaOptions()
    assert Spec.from_document(made.to_document()) == made
    assert made.fingerprint != spec({}).fingerprint
    assert "media" not in spec({}).to_document()


@pytest.mark.parametrize(
    "media, message",
    [
        ([], "what is said of media is no mapping"),
        ({"foto": {}}, "no slot for a medium is called 'foto'; did you mean 'photo'"),
        ({"photo": 7}, "what is said of 'photo' is no mapping; give it mime, max_edge, max_pixels, upload"),
        ({"photo": {"maxedge": 7}}, "media have no option 'maxedge'; did you mean 'max_edge'"),
        ({"photo": {"max_edge": 0}}, "'max_edge' of 'photo' is 0; give it a number of pixels"),
        ({"photo": {"max_edge": True}}, "'max_edge' of 'photo' is True"),
        ({"photo": {"mime": "png"}}, "'mime' of 'photo' is 'png'; give it a MIME type"),
        ({"photo": {"upload": True}}, "'upload' of 'photo' is True; give it gs://bucket/prefix, or false"),
        ({"photo": {"upload": "s3://bucket"}}, "give it gs://bucket/prefix"),
    ],
)
def test_what_is_wrong_with_options_is_said(media, message):
    with pytest.raises(SpecError, match=message):
        spec(media)


def test_a_slot_that_is_no_medium_has_no_options():
    with pytest.raises(SpecError, match="no slot for a medium is called 'photo'"):
        spec({"photo": {}}, {"text": "{{ photo }}"})


def test_a_prompt_may_follow_its_media():
    made = Spec.from_prompt("m", "What?", media={"photo": {}, "a.b": {"max_edge": 7}})
    assert made.request["contents"][0]["parts"] == [
        '{{ columns["photo"] | part }}',
        '{{ columns["a.b"] | part }}',
        {"text": "What?"},
    ]
    assert made.media == {"a.b": {"max_edge": 7}}
