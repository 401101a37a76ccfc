import pytest

from geminate.errors import SpecError
from geminate.wire.answers import AnswerSchema
from geminate.wire.answers.forms import choose_form, load_forms


@pytest.mark.parametrize(
    "wanted, model, expected",
    [
        (None, "gemini-3.5-flash", "responseSchema"),
        (None, "gemini-1.5-pro-002", "responseSchema"),
        (None, "projects/1/locations/l/models/2", "responseSchema"),
        ("responseFormat", "gemini-3.5-flash", "responseFormat"),
        ("responseFormat", "publishers/google/models/gemini-3-flash-preview", "responseFormat"),
        ("responseJsonSchema", "gemini-2.5-pro@001", "responseJsonSchema"),
        # What a tuned or an unknown model takes is not known, and so not refused.
        ("responseFormat", "projects/1/locations/l/models/2", "responseFormat"),
        ("responseFormat", "a-model-of-tomorrow", "responseFormat"),
    ],
)
def test_the_table_chooses_the_form_by_the_model(wanted, model, expected):
    assert choose_form(wanted, model, "spec") == expected


@pytest.mark.parametrize(
    "wanted, model, sentence, remedy",
    [
        (
            "responseFormat",
            "gemini-1.5-pro-002",
            "takes no responseFormat; models from 2.5 on do",
            "for responseSchema",
        ),
        ("responseJsonSchema", "gemini-2.0-flash", "takes no responseJsonSchema; models from 2.5", "a newer model"),
        ("response_schema", "gemini-3.5-flash", "is no form of answer schemas", "did you mean 'responseSchema'"),
        ("xml", "gemini-3.5-flash", "is no form", "use one of responseSchema, responseJsonSchema, responseFormat"),
    ],
)
def test_a_form_that_does_not_apply_is_refused_with_what_does(wanted, model, sentence, remedy):
    with pytest.raises(SpecError, match=sentence) as caught:
        choose_form(wanted, model, "spec.yaml: $.answer_form")
    assert remedy in caught.value.remedy
    assert caught.value.where == "spec.yaml: $.answer_form"


def test_forms_that_no_batch_was_seen_to_follow_come_with_a_word_of_caution():
    schema = AnswerSchema.from_source({"type": "object", "properties": {"a": {"type": "string"}}})
    assert schema.convert().notes == ()
    for name in ("responseJsonSchema", "responseFormat"):
        (note,) = schema.convert(name).notes
        assert "try a few prompts first" in note


def test_every_form_says_since_when_and_how_sure():
    table = load_forms()
    assert table.date
    assert all(form.taken_since and form.sure for form in table.forms.values())
