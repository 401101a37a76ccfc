import pytest

from geminate.errors import SpecError
from geminate.stages.specs import Slot, Template, parse_text


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("", ()),
        ("no slot } }} here", ("no slot } }} here",)),
        ("{{a}}", (Slot("a"),)),
        ("x {{ a }}{{ b }} y", ("x ", Slot("a"), Slot("b"), " y")),
        ("{{ größe }}", (Slot("größe"),)),
        ("{{ user id }} {{ user-id }}", (Slot("user id"), " ", Slot("user-id"))),
        ("{{ row.field.deeper }}", (Slot("row", ("field", "deeper")),)),
        ("{{ columns[\"a.b\"] }}{{ columns['c d'].e }}", (Slot("a.b"), Slot("c d", ("e",)))),
        ("{{ turns | json }}", (Slot("turns", as_json=True),)),
        ("{{ '{{' }} a {{ '}}' }}", ("{{ a }}",)),
        ("{{ '' }}", ()),
    ],
)
def test_texts_and_slots(text, pieces):
    assert parse_text(text, "here") == pieces


@pytest.mark.parametrize(
    "source, columns",
    [
        ("{{ a | upper }}", ("a",)),
        ("{{ a if b else c }}", ("a", "b", "c")),
        ("{{ not a }}", ("a",)),
        ("{{ a - b }}", ("a", "b")),
        ("{# aside #}{{ a }}", ("a",)),
        ("{% for i in range(3) %}{{ i }}{{ a }}{% endfor %}", ("a",)),
        ("{% for turn in turns %}{{ turn.text }}{% endfor %}", ("turns",)),
        ("{% if columns['x y'] %}{{ z }}{% endif %}", ("x y", "z")),
    ],
)
def test_anything_else_in_braces_is_a_template_and_names_its_columns(source, columns):
    (template,) = parse_text(source, "here")
    assert isinstance(template, Template)
    assert (template.source, template.columns) == (source, columns)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{{", r"here: not a template: .*\{\{ '\{\{' \}\}"),
        ('{{"a": 1}}', "not a template"),
        ("{{ }}", "not a template"),
        ("{% if a %}", "not a template"),
        ("{{ a | no_such_filter }}", "not a template"),
        ("turns: {{ turns | json }}", "inside a text; leave out"),
    ],
)
def test_what_cannot_be_meant_is_refused(text, message):
    with pytest.raises(SpecError, match=message):
        parse_text(text, "here")
