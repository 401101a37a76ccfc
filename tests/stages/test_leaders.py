import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.leaders import NO_LEADER, LeaderRegister, without_followers

TRICKY_KEYS = ["a", '\\"', '","request":{', "\\\\", ""]


def line(key, text):
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"key":"{escaped}","request":{{"contents":"{text}"}}}}\n'


def column(lines):
    return pa.array(lines, pa.large_string())


texts = st.sampled_from(["x", "y", "z", 'w\\",\\"request\\":'])
rows = st.none() | st.builds(line, st.sampled_from(TRICKY_KEYS), texts)


@settings(max_examples=150)
@given(st.lists(st.lists(rows, max_size=6), max_size=12))
def test_the_first_of_equal_requests_leads_however_the_lines_come(blocks):
    register, first, row = LeaderRegister(), {}, 0
    for block in blocks:
        leaders = register.add(column(block)).tolist()
        for each, leader in zip(block, leaders, strict=True):
            request = each and each[each.index('","request":') :]
            known = first.get(request, NO_LEADER)
            assert leader == (NO_LEADER if each is None else known)
            if each is not None:
                first.setdefault(request, row)
            row += 1


def test_many_blocks_are_kept_in_few_runs():
    register = LeaderRegister()
    for block in range(300):
        register.add(column([line("k", f"{block}-{at}") for at in range(10)]))
    assert register.add(column([line("other", "7-3"), line("k", "new")])).tolist() == [73, NO_LEADER]
    assert len(register._runs) <= 12


def test_lines_without_followers_lack_nothing_but_them():
    lines = column([line("a", "x"), line("b", "x"), None, line("c", "y")])
    leaders = LeaderRegister().add(lines)
    assert leaders.tolist() == [NO_LEADER, 0, NO_LEADER, NO_LEADER]
    assert without_followers(lines, leaders).to_pylist() == [line("a", "x"), None, None, line("c", "y")]
