import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.wire.changes import Changes, change_line
from geminate.wire.outcomes import REMEDIES, Outcome

MOST = 65_536
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CHANGES = st.builds(
    Changes,
    max_output_tokens=st.none() | st.integers(1, MOST) | st.just("double"),
    thinking_budget=st.none() | st.integers(-1, 1000),
    temperature=st.none() | st.floats(0, 2),
    seed=st.none() | st.integers(0, 1000),
)


def changed(config, **changes):
    line = json.dumps({"key": "a", "request": {"contents": [], "generationConfig": config}}).encode()
    return json.loads(change_line(line, Changes(**changes), MOST))["request"]["generationConfig"]


@given(
    siblings=st.dictionaries(st.text().filter(lambda name: name != "request"), JSON, max_size=3),
    request=st.dictionaries(st.text().filter(lambda name: not name.startswith("generation")), JSON, max_size=3),
    config=st.none()
    | st.fixed_dictionaries(
        {}, optional={"temperature": st.floats(0, 2), "maxOutputTokens": st.integers(1, MOST), "other": JSON}
    ),
    changes=CHANGES,
)
def test_nothing_else_is_touched_and_the_change_is_there(siblings, request, config, changes):
    request = request | ({} if config is None else {"generationConfig": config})
    document = {**siblings, "request": request}
    line = json.dumps(document).encode()
    after = json.loads(change_line(line, changes, MOST))
    had, has = dict(config or {}), dict(after["request"].pop("generationConfig", {}))
    assert {**after["request"]} == {k: v for k, v in request.items() if k != "generationConfig"}
    assert {k: v for k, v in after.items() if k != "request"} == siblings
    for name, value in (("temperature", changes.temperature), ("seed", changes.seed)):
        expected = had.get(name) if value is None else value
        assert has.get(name) == expected
    assert has.get("maxOutputTokens", 0) >= had.get("maxOutputTokens", 0)
    assert has.get("other") == had.get("other")


@given(st.none() | st.dictionaries(st.text(), JSON, max_size=3))
def test_no_change_leaves_the_very_same_bytes(config):
    line = json.dumps({"request": {"generationConfig": config}}, indent=1).encode()
    assert change_line(line, Changes(), MOST) is line


@pytest.mark.parametrize(
    "before, wanted, after",
    [
        (100, "double", 200),
        (40_000, "double", MOST),
        (MOST, "double", MOST),
        (100, 5000, 5000),
        (5000, 100, 5000),
    ],
)
def test_output_tokens_only_grow_and_only_to_what_the_model_gives(before, wanted, after):
    assert changed({"maxOutputTokens": before}, max_output_tokens=wanted) == {"maxOutputTokens": after}
    assert changed({"max_output_tokens": before}, max_output_tokens=wanted) == {"max_output_tokens": after}


def test_a_request_without_a_limit_had_all_there_is():
    assert changed({"seed": 1}, max_output_tokens=9) == {"seed": 1}


@pytest.mark.parametrize("name", ["thinkingConfig", "thinking_config"])
def test_a_budget_takes_the_place_of_a_level(name):
    before = {name: {"thinkingLevel": "HIGH", "includeThoughts": True}}
    assert changed(before, thinking_budget=0) == {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 0}}


def test_members_that_are_not_changed_keep_their_spelling():
    line = b'{"request":{"x":1.0,"y":"\\u00e9","generation_config":{"top_p":0.10}},"key":"a"}'
    assert change_line(line, Changes(seed=3), MOST) == line.replace(b"0.10", b'0.10,"seed":3')


def test_each_outcome_takes_the_changes_that_its_remedy_names():
    everything = Changes(1, 1, 1.0, 1)
    assert {outcome: tuple(everything.suited_to(outcome).named()) for outcome in Outcome} == {
        outcome: remedy.changes for outcome, remedy in REMEDIES.items()
    }
