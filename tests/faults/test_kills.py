"""The reference run, killed before every call that changes anything, and run again.

After a call and before the next one nothing changes, so each point between two calls is met once. Most calls write to
files that nobody sees yet; of those only some are met, unless ``GEMINATE_FAULTS=all`` asks for every one.
"""

import os
import random

import pytest

from .conftest import FAULTS

PARTS = 6
ALL = os.environ.get("GEMINATE_FAULTS") == "all"
PAIRS = 200 if ALL else 24
EVERY = {"write": 1 if ALL else 8}


def kill(world, step, place, **how):
    before = world.outcomes()
    ended = world.call(*step.argv, fault={"kind": "kill", "at": [place]}, **how)
    # How often a waiting command asks and notes the answer depends on how fast the emulator is.
    assert ended.code == -9 or (ended.code == step.code and len(ended.calls) < place), (place, ended)
    assert set(world.jobs().values()) <= {1}
    assert world.visible() <= step.visible, place
    for name, outcomes in world.outcomes().items():
        assert outcomes in (before.get(name), step.outcomes[name]), (place, name)
    return ended


def settle(world, step, ended, **how):
    if ended.code == -9:
        ended = world.call(*step.argv, **how)
    assert ended.code == step.code, ended.err
    assert world.outcomes() == step.outcomes
    assert world.jobs() == step.jobs
    verified = world.call("verify", "rows.parquet.run")
    assert verified.code == 0, verified.err


def test_the_reference_run_is_what_it_should_be(reference):
    run, retry, again = reference.steps.values()
    first, last = (step.outcomes["rows.parquet"] for step in (run, again))
    assert [key for key, _ in first] == [key for key, _ in last] == [f"p{n:04}" for n in range(1_000)]
    assert {outcome for _, outcome in first} == {"ok", "failed", "blocked", "rejected"}
    assert {outcome for _, outcome in last} == {"ok", "blocked", "rejected"}
    assert (len(run.jobs), len(retry.jobs), len(again.jobs)) == (3, 6, 6)
    assert min(len(step.calls) for step in reference.steps.values()) > 20


def places(step):
    return [place for place, call in enumerate(step.calls, 1) if place % EVERY.get(call, 1) == 0]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", ["run", "retry", "again"])
def test_killed_before_any_call_a_command_goes_on_and_pays_once(reference, name, part):
    step = reference.steps[name]
    for place in places(step)[part::PARTS]:
        reference.restore(step.before)
        with reference.service():
            settle(reference, step, kill(reference, step, place))


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_twice_a_command_goes_on_and_pays_once(reference, part):
    chance = random.Random(20261122)
    steps = list(reference.steps.values())
    weights = [len(step.calls) for step in steps]
    for number in range(PAIRS):
        (step,) = chance.choices(steps, weights)
        first, second = (chance.randint(1, len(step.calls)) for _ in range(2))
        if number % PARTS == part:
            reference.restore(step.before)
            with reference.service():
                kill(reference, step, first)
                settle(reference, step, kill(reference, step, second))


# A list shows a job after half of the time for which a doubtful one is looked for.
LATE = {"listed_after_s": 60}
SHOWN_LATE = {**FAULTS, "jobs": [*({**entry, **LATE} for entry in FAULTS["jobs"]), LATE]}


def places_beside_create_calls(step):
    created = [place for place, call in enumerate(step.calls, 1) if call == "http"]
    return sorted({place + beside for place in created for beside in (-1, 0, 1, 2)})


@pytest.mark.parametrize("name", ["run", "retry"])
def test_killed_beside_a_create_call_whose_job_is_listed_late_a_command_pays_once(reference, name):
    step, how = reference.steps[name], {"service_port": reference.port}
    for place in places_beside_create_calls(step):
        reference.restore(step.before)
        with reference.service(faults=SHOWN_LATE):
            settle(reference, step, kill(reference, step, place, **how), **how)


def test_a_create_call_before_its_intent_is_caught_by_these_kills(reference):
    step, how = reference.steps["run"], {"service_port": reference.port, "mutation": "post_before_the_intent"}
    paid = set()
    for place in places_beside_create_calls(step):
        reference.restore(step.before)
        with reference.service(faults=SHOWN_LATE):
            # On a slow machine a run waits less often, and may end before it has made so many calls.
            if kill(reference, step, place, **how).code == -9:
                assert reference.call(*step.argv, **how).code == step.code
            paid |= set(reference.jobs().values())
    assert paid == {1, 2}
