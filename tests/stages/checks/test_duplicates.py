from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.checks.duplicates import KeyIndex

KEYS = st.integers(0, 40).map(lambda number: b"k%d" % number)


@settings(max_examples=200)
@given(st.lists(st.lists(KEYS, max_size=30), max_size=8))
def test_it_finds_what_a_dictionary_finds(blocks):
    index = KeyIndex()
    seen: dict[bytes, int] = {}
    ordinal = 0
    for keys in blocks:
        ordinals = list(range(ordinal, ordinal + 3 * len(keys), 3))
        ordinal += 3 * len(keys)
        expected = []
        for at, (key, number) in enumerate(zip(keys, ordinals, strict=True)):
            first = seen.setdefault(key, number)
            if first != number:
                expected.append((at, first))
        assert index.add(keys, ordinals) == expected


def test_many_keys_keep_few_runs():
    index = KeyIndex()
    for block in range(200):
        keys = [b"%d" % number for number in range(block * 100, block * 100 + 100)]
        assert index.add(keys, range(block * 100, block * 100 + 100)) == []
    assert index.add([b"7", b"new", b"19999"], [20_000, 20_001, 20_002]) == [(0, 7), (2, 19_999)]
    assert len(index._runs) < 20
