import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.emulator.patterns import text_matching

ATOMS = st.sampled_from(["a", "[a-f]", "[^x]", r"\d", r"\w", r"\.", ".", r"\S", "(?:ab|c)", "(x|y|)", r"[\d_-]", "é"])
COUNTS = st.sampled_from(["", "?", "*", "+", "{2}", "{1,3}", "{2,}", "+?"])
PATTERNS = st.lists(st.tuples(ATOMS, COUNTS).map("".join), min_size=1, max_size=5).map("".join)


@settings(max_examples=150)
@given(PATTERNS, st.booleans(), st.integers(0, 2**32))
def test_the_pattern_is_found_in_the_text(pattern, anchored, seed):
    pattern = f"^{pattern}$" if anchored else pattern
    text = text_matching(pattern, Random(seed))
    assert text is not None
    assert re.search(pattern, text)


def test_the_length_is_kept():
    texts = [text_matching("^[a-z]+$", Random(seed), 2, 3) for seed in range(20)]
    assert all(text is not None and 2 <= len(text) <= 3 for text in texts)


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "[", "(", "a)", r"\p{L}", "x{3}$^y"])
def test_what_is_beyond_it_gives_none(pattern):
    assert text_matching(pattern, Random(0)) is None
