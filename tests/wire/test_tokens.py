# ruff: noqa: RUF001 Greek letters and wide marks are what is counted.
"""The heuristic against counts of the published vocabulary of Gemma 3, and its arithmetic against itself."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.wire.tokens import count_tokens

# Our own sentences, counted once with that vocabulary (2026-11-22).
CODE = """def total(prices, rate=0.19):
    '''The sum with tax.'''
    return sum(price * (1 + rate) for price in prices)
"""
COUNTED = [
    ("The parcel came two days late, but everything in it was whole and well packed.", 17),
    ("Das Paket kam zwei Tage zu spät, aber alles darin war heil und gut verpackt.", 19),
    ("Le colis est arrivé deux jours en retard, mais tout était entier et bien emballé.", 19),
    ("Посылка пришла на два дня позже, но всё в ней было целым и хорошо упакованным.", 22),
    ("Το δέμα ήρθε δύο μέρες αργότερα, αλλά όλα ήταν ολόκληρα και καλά συσκευασμένα.", 28),
    ("وصل الطرد متأخرا يومين، لكن كل ما فيه كان سليما ومغلفا جيدا.", 24),
    ("החבילה הגיעה באיחור של יומיים, אבל הכול היה שלם וארוז היטב.", 28),
    ("पैकेट दो दिन देर से आया, लेकिन उसमें सब कुछ ठीक था और अच्छी तरह पैक किया गया था।", 22),
    ("包裹晚到了两天，但里面的东西都完好无损，包装也很好。", 18),
    ("荷物は二日遅れて届きましたが、中身はすべて無事で、梱包も丁寧でした。", 21),
    ("소포는 이틀 늦게 도착했지만 안에 든 것은 모두 온전했고 포장도 잘 되어 있었습니다.", 25),
    ("พัสดุมาถึงช้าไปสองวัน แต่ของข้างในทุกอย่างอยู่ครบและห่อมาอย่างดี", 25),
    ("2026-11-22,48213,0.7315\n2026-11-23,48219,0.7291\n2026-11-24,48244,0.7308\n", 72),
    (CODE, 38),
    ('{"order_id": 48213, "items": [{"sku": "LAMP-4", "count": 2}, {"sku": "DESK-1", "count": 1}], "paid": true}', 49),
]


def count(*texts):
    return count_tokens(pa.array(texts, pa.large_string()))


@pytest.mark.parametrize("text, tokens", COUNTED)
def test_a_sentence_is_counted_to_a_quarter_in_every_script(text, tokens):
    assert count(text).likely[0] == pytest.approx(tokens, rel=0.25)


def test_the_spread_holds_the_true_count_of_all_sentences_together():
    likely, spread = count(*(text for text, _ in COUNTED))
    assert abs(likely.sum() - sum(tokens for _, tokens in COUNTED)) <= spread.sum()


def test_nothing_and_null_have_no_tokens():
    assert count("", None, "").likely.tolist() == [0, 0, 0]
    assert count().likely.tolist() == []


@settings(max_examples=100)
@given(st.lists(st.none() | st.text(max_size=30), max_size=8), st.integers(0, 8))
def test_a_text_counts_the_same_in_whatever_column_it_stands(texts, start):
    column = pa.array(texts, pa.large_string())
    alone = [count(text).likely[0] for text in texts]
    assert count_tokens(column).likely.tolist() == alone
    assert count_tokens(column.slice(start)).likely.tolist() == alone[start:]
