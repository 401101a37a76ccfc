import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.errors import UsageError
from geminate.formats import selection
from geminate.formats.selection import compile_where, draw

ROWS = pa.record_batch({"a": [1, 2, None], "Len": ["x", "Len", None], "s": [{"k": 1}, None, {"k": 2}]})


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("a > 1", [False, True, False]),
        ("a is null or a = 1", [True, False, True]),
        ("\"Len\" = 'Len'", [False, True, False]),
        ("upper(\"Len\") like 'L%'", [False, True, False]),
        ("a in (1, 2)", [True, True, False]),
        ("true", [True, True, True]),
        ("'\"Agg\":' = '\"Agg\":'", [True, True, True]),
    ],
)
def test_rows_for_which_the_expression_is_true_are_kept(expression, expected):
    assert compile_where(expression, ROWS.schema)(ROWS).tolist() == expected


def test_a_polars_that_accounts_for_expressions_in_another_way_is_not_trusted(monkeypatch):
    monkeypatch.setattr(selection, "_OTHER_ROWS", re.compile('"Aggregate":'))
    with pytest.raises(UsageError, match="does not say what an expression looks at"):
        compile_where("a > 1", ROWS.schema)


@pytest.mark.parametrize(
    "expression, reason",
    [
        ("a >", "--where "),
        ("b = 1", "no column 'b'; the columns are a, Len, s"),
        ("a", "not a condition"),
        ("a > avg(a)", "not a condition on one row"),
        ("count(*) > 1", "not a condition on one row"),
        ("sum(a) over (partition by s) = 1", "not a condition on one row"),
        ("a = 'x' and", "--where "),
        ("a like 'x'", "--where "),
    ],
)
def test_other_expressions_are_refused(expression, reason):
    with pytest.raises(UsageError, match=reason):
        compile_where(expression, ROWS.schema)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers())
def test_a_drawn_row_stays_drawn_when_more_are(rows, fewer, more, seed):
    small, large = (draw(rows, size, seed) for size in sorted((fewer, more)))
    assert len(large) == min(rows, max(fewer, more))
    assert set(small) <= set(large) <= set(range(rows))
    assert (np.diff(large) > 0).all()


def test_every_row_has_the_same_chance():
    counts = np.bincount(np.concatenate([draw(100, 10, seed) for seed in range(2000)]), minlength=100)
    assert counts.min() > 140  # 200 expected, standard deviation 13.4.
    assert counts.max() < 260


def test_the_same_rows_are_drawn_on_every_machine():
    assert draw(1_000_000, 5, 42).tolist() == [67_310, 111_072, 179_576, 814_642, 877_591]
    assert draw(3_000_000, 3, 42).tolist() == [111_072, 179_576, 2_360_297]
