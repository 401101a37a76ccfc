"""Templates: what they see, and what befalls their rows."""

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from geminate.errors import SpecError
from geminate.stages.requests import compile_requests
from geminate.stages.specs import Spec


def render(template, defaults=None, **columns):
    """Each row's text, or the rules it breaks."""
    prompts = pa.RecordBatch.from_pydict(columns)
    spec = Spec("m", {"contents": [{"parts": [{"text": template}]}]}, defaults=defaults or {})
    keys = pa.array(map(str, range(prompts.num_rows)))
    encoder = compile_requests(spec, prompts.schema)
    encoder.encode(prompts, keys)  # What it may remember must not change what it says.
    block = encoder.encode(prompts, keys)
    return [
        json.loads(line)["request"]["contents"][0]["parts"][0]["text"]
        if line
        else [violation.rule for at, violation in block.violations if at == row]
        for row, line in enumerate(block.lines.to_pylist())
    ]


def test_cells_are_data_and_never_templates():
    hostile = ["{{ other }}", "{% for x in [1] %}", "{# #}", "<b>&'\"</b>\n\0\u2028", "{{ '{{' }}"]
    assert render("{% if text %}{{ text }}{% endif %}", text=hostile, other=["x"] * 5) == hostile


def test_conditions_see_numbers_and_truth():
    template = "{% if n > 1 and flag %}many{% else %}few{% endif %} {{ n }}"
    assert render(template, n=[1, 2], flag=[True, True]) == ["few 1", "many 2"]


def test_loops_see_lists_structs_and_maps():
    turns = pa.array([[{"who": "a", "says": ["x", "y"]}, {"who": "b", "says": []}], []])
    template = "{% for turn in turns %}{{ turn.who }}:{{ turn.says | join('+') }};{% else %}none{% endfor %}"
    assert render(template, turns=turns) == ["a:x+y;b:;", "none"]
    pairs = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8()))
    assert render("{% for k, v in m | items %}{{ k }}={{ v }}{% endfor %}", m=pairs) == ["k=1"]


def test_other_types_come_as_their_text():
    columns = {"day": [date(2026, 11, 22)], "price": [Decimal("1.50")], "share": pa.array([0.1], pa.float32())}
    assert render("{{ day | upper }} {{ price }} {{ share }}", **columns) == ["2026-11-22 1.50 0.1"]


def test_a_null_can_be_tested_but_not_printed():
    assert render("{% if text %}{{ text }}{% else %}none{% endif %}", text=["a", None]) == ["a", "none"]
    assert render("{{ text | upper }}", text=["a", None]) == ["A", ["schema.null_slot"]]
    assert render("{{ n }}{% if true %}{% endif %}", n=[1.5, float("nan")]) == ["1.5", ["schema.null_slot"]]
    assert render("{{ row.a }}{% if true %}{% endif %}", row=[{"a": "x"}, {"a": None}]) == ["x", ["schema.null_slot"]]


def test_a_default_stands_for_a_null():
    assert render("{{ text | upper }} {{ n + 1 }}", {"text": "none", "n": 1}, text=[None, "a"], n=[None, 2]) == [
        "NONE 2",
        "A 3",
    ]


def test_columns_of_any_name_are_reached():
    template = "{% if columns['a.b'] %}{{ columns[\"c d\"] }}{{ columns['a.b'] }}{% endif %}"
    assert render(template, **{"a.b": ["x", None], "c d": ["y", "z"]}) == ["yx", ["schema.empty_text"]]
    assert render("{% if columns %}{{ columns }}{% endif %}", columns=["real"]) == ["real"]


def test_a_row_that_never_ends_is_rejected_alone():
    template = "{% for a in range(n) %}{% for b in range(n) %}{% endfor %}{% endfor %}x"
    assert render(template, n=[2, 9_000, 3]) == ["x", ["schema.template"], "x"]


def test_a_failing_expression_rejects_its_row():
    assert render("{{ text[0] | int + 1 }}", text=["1", "x"]) == ["2", ["schema.template"]]


def test_a_template_without_columns_is_a_text():
    assert render("{% for n in range(3) %}{{ n }}{% endfor %}\n", text=["a", "b"]) == ["012\n", "012\n"]
    with pytest.raises(SpecError, match="not a template"):
        render("{{ 1 + 'a' }}", text=["a"])


WHOLE = "{% set whole = 1 %}"
"""Keeps a template from being taken apart, and its rows from being known again."""


@pytest.mark.parametrize(
    "template",
    [
        "{% if n > 0.5 %}Urgent.\n{% endif %}Of: {{ kind }}\n\n{{ text }}",
        "{{ text }}{% for k in ['a', 'b'] %}{% if k != kind %}{{ k }}{% else %}={{ text }}{% endif %}{% endfor %}",
        "{# aside #} {{ n }} {{- text -}} {{ kind }}",
        "{% if kind %} {%- else -%} {% endif %} {{ text }} ",
        "{% for text in kind %}{{ text }}.{% endfor %}{{ text }}",
        "{{ '{{' }}{{ text | upper }}{{ kind }}{{ columns['kind'] }}{{ '%}' }}{{ n % 2 if n else '' }}",
        "{% if n %}{{ kind }}{% endif %}" * 5,
        "{% if flag %}{{ flag }}{% endif %}{{ i }}\n",
        "x{% raw %}{{ kind }}{% endraw %}{{ kind }}",
    ],
)
@pytest.mark.parametrize("defaults", [None, {"kind": "none"}, {"text": 7}])
def test_a_template_says_the_same_whole_and_in_parts(template, defaults):
    columns = {
        "text": ["a{{ b }}", None, "", "\n", "x", "x", "x", "x"],
        "kind": ["a", "b", "a\nb", None, "\0", "a", "a", None],
        "n": [0.75, 0.0, -0.0, None, float("nan"), 1e16, 1.0, 1.0],
        "i": [1, 1, None, 2, 2, 2, 1, 1],
        "flag": [True, False, None, True, True, True, True, None],
    }
    columns = {name: cells for name, cells in columns.items() if name in template}
    defaults = {name: default for name, default in (defaults or {}).items() if name in template}
    parts, whole = (render(each, defaults, **columns) for each in (template, WHOLE + template))
    assert [each if isinstance(each, str) else set(each) for each in parts] == [
        each if isinstance(each, str) else set(each) for each in whole
    ]
