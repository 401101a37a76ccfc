import re

from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks import Lattice, Place
from geminate.wire.limits import LIMITS

NAMES = st.sampled_from(["a", "b", "A", "c d"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", 0.5]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=8,
)
LINES = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=6)


def observe(lattice, lines, first=1):
    found = []
    for number, line in enumerate(lines, first):
        found += lattice.observe(line, Place("f", number))
    return found


def paths(violations):
    """The rules broken, by path with array positions merged; which of two spellings came first does not count."""
    return {(one.rule, re.sub(r"\[[0-9]+]", "[]", one.path).lower()) for one in violations}


@settings(max_examples=100)
@given(LINES, LINES)
def test_two_halves_merged_say_what_the_whole_says(one, other):
    whole = Lattice()
    expected = observe(whole, [*one, *other])
    first, second = Lattice(), Lattice()
    found = observe(first, one) + observe(second, other, len(one) + 1)
    found += first.merge(second)
    assert paths(found) == paths(expected)
    assert paths(first.finish()) == paths(whole.finish())
    assert first.column_count == whole.column_count


@settings(max_examples=100)
@given(LINES)
def test_a_path_is_reported_once_and_merging_the_same_again_says_nothing(lines):
    lattice = Lattice()
    observe(lattice, lines)
    assert observe(lattice, lines) == []
    twin = Lattice()
    observe(twin, lines)
    assert lattice.merge(twin) == []


@settings(max_examples=100)
@given(LINES)
def test_order_decides_where_and_never_whether(lines):
    there, back = Lattice(), Lattice()
    forwards = paths(observe(there, lines)) | paths(there.finish())
    backwards = paths(observe(back, lines[::-1])) | paths(back.finish())
    assert forwards == backwards


@settings(max_examples=100)
@given(LINES)
def test_screening_keeps_what_is_sound(lines):
    lattice, sound = Lattice(), Lattice()
    for number, line in enumerate(lines):
        if not lattice.screen(line, Place("f", number)):
            assert sound.observe(line, Place("f", number)) == []
    assert lattice == sound


def test_a_conflict_names_both_places():
    lattice = Lattice()
    (conflict,) = observe(lattice, [{"a": [{"b": 1}]}, {"a": [{"c": 0}, {"b": "x"}]}])
    assert (conflict.line, conflict.path) == (2, "$.a[1].b")
    assert "a number at $.a[0].b of f line 1" in conflict.message


def test_merging_names_both_places():
    one, other = Lattice(), Lattice()
    observe(one, [{"a": 1}])
    other.observe({"a": "x"}, Place("g", 9, "k"))
    (conflict,) = one.merge(other)
    assert (conflict.file, conflict.line, conflict.key) == ("g", 9, "k")
    assert "f line 1" in conflict.message


def test_a_field_anywhere_makes_an_object_legal():
    lattice = Lattice()
    observe(lattice, [{"a": {}}, {"a": {"b": None}}, {"c": {}}])
    assert [(one.line, one.path) for one in lattice.finish()] == [(3, "$.c")]


def test_levels_are_counted_from_the_lines_own_members():
    line: object = 1
    for _ in range(LIMITS.max_nesting_levels):
        line = {"m": line}
    assert observe(Lattice(), [line]) == []
    (violation,) = observe(Lattice(), [{"m": [line]}])
    assert violation.path == "$.m[0]" + ".m" * LIMITS.max_nesting_levels


def test_memory_is_bounded_where_keys_are_data():
    lattice = Lattice()
    lines = [{"map": {f"k{number}": number}} for number in range(LIMITS.max_columns + 500)]
    found = observe(lattice, lines)
    assert [(one.rule, one.line) for one in found] == [("limit.columns", LIMITS.max_columns)]
    assert lattice.column_count == LIMITS.max_columns + 1
    assert lattice.finish() == []


def test_merging_keeps_to_the_bound():
    one, other = Lattice(), Lattice()
    half = LIMITS.max_columns // 2 + 10
    observe(one, [{f"a{number}": 1} for number in range(half)])
    observe(other, [{f"b{number}": 1} for number in range(half)])
    assert [one.rule for one in one.merge(other)] == ["limit.columns"]
    assert one.column_count == LIMITS.max_columns + 1
    assert len(one.root.members) == LIMITS.max_columns
    assert observe(one, [{"one_more": 1}]) == []
