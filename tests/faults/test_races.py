"""Two processes on one run: one works, the other is told so, and nothing is paid twice."""

import random

import pytest

from geminate.locks import hold_lock

RACES = {"run": 30, "retry": 12, "again": 8}
TOLD = 75
# Who comes when the other is done already finds nothing left to do, or jobs that are still running. A retry that comes
# between the other's plan and its create calls makes those calls, and both report the plan.
LATE = {"run": {3}, "retry": {0, 2}, "again": {3}}


@pytest.mark.parametrize("name", RACES)
def test_one_works_and_one_is_told_so(reference, name):
    step = reference.steps[name]
    chance = random.Random(20261122)
    told = 0
    for _ in range(RACES[name]):
        reference.restore(step.before)
        with reference.service():
            ended = reference.race(step.argv, step.argv, delays_s=(0, chance.uniform(0, 0.1)))
            codes = sorted(each.code for each in ended)
            assert step.code in codes, ended
            codes.remove(step.code)
            assert set(codes) <= {TOLD} | LATE[name], ended
            for each in ended:
                if each.code == TOLD:
                    told += 1
                    assert "another process" in each.err
            if name != "retry":
                assert reference.outcomes() == step.outcomes
            assert reference.jobs() == step.jobs
            assert reference.call("verify", "rows.parquet.run").code == 0
    # What takes less time than waiting for the lock does may well leave nobody to be told.
    assert told or name in {"again", "retry"}


# The folder of a first run, and with it its lock, is there only once it is built: its races show the same.
@pytest.mark.parametrize("name", ["retry", "again"])
def test_who_comes_while_another_works_is_told_so_and_changes_nothing(reference, name):
    step = reference.steps[name]
    reference.restore(step.before)
    jobs, outcomes = reference.jobs(), reference.outcomes()
    with reference.service():
        lock = hold_lock(reference.path / "rows.parquet.run")
        told = reference.call(*step.argv)
        lock.close()
        assert (told.code, "another process" in told.err) == (TOLD, True)
        assert (reference.jobs(), reference.outcomes()) == (jobs, outcomes)
        assert reference.call(*step.argv).code == step.code
        assert reference.jobs() == step.jobs
