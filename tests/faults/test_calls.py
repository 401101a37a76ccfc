"""Every call about jobs, whatever becomes of its answer: the same end, and no more calls than are worth it."""

import json
import time

import pytest

STALLED_S = 0.4
PASSING = ["429", "500", "503", "reset", "stall", "broken", "corrupt", "odd"]
FINAL = {"400": 5, "401": 77, "403": 77, "404": 5, "409": 5, "412": 5}
FOR_EVER = 1_000


@pytest.fixture
def submitting(stepwise):
    """Submits the built run through a proxy."""

    def submit(proxy, *options):
        return stepwise.call("submit", "rows.parquet.run", *stepwise.reach(proxy.url), *options, **timeout(proxy))

    step = stepwise.steps["submit"]
    stepwise.restore(step.before)
    return step, submit


def timeout(proxy):
    stalls = any("stall" in str(word) for words in proxy.faults.values() for word in words)
    return {"read_timeout_s": STALLED_S if stalls else 30}


CREATE_FAULTS = [*PASSING, "408", "502", "504"]


@pytest.mark.parametrize("word", ["200", *CREATE_FAULTS, *(f"before {word}" for word in CREATE_FAULTS)])
def test_a_create_call_makes_one_job_for_each_intent_whatever_its_answer(stepwise, submitting, word):
    step, submit = submitting
    faults = [] if word == "200" else [word, None, word]
    with stepwise.service(), stepwise.proxy({"create": faults}) as proxy:
        ended = submit(proxy)
        assert ended.code == 0, ended.err
        assert stepwise.jobs() == step.jobs
        assert proxy.seen["create"] == 3 + (2 if word.startswith("before") else 0)
        assert proxy.seen["list"] <= 500


@pytest.mark.parametrize("word", CREATE_FAULTS)
def test_a_create_call_that_never_comes_through_ends_and_is_gone_on_with(stepwise, submitting, word):
    step, submit = submitting
    with stepwise.service(), stepwise.proxy({"create": [f"before {word}"] * FOR_EVER}) as proxy:
        ended = submit(proxy)
        assert (ended.code, proxy.seen["create"]) == (75, 3), ended.err
        assert "run the same command again" in ended.err
        assert not stepwise.jobs()
        proxy.faults.clear()
        assert submit(proxy).code == 0
        assert stepwise.jobs() == step.jobs


@pytest.mark.parametrize("word", CREATE_FAULTS)
@pytest.mark.parametrize("before", ["", "before "])
def test_without_leave_a_create_call_is_not_made_again(stepwise, submitting, word, before):
    _, submit = submitting
    with stepwise.service(), stepwise.proxy({"create": [before + word]}) as proxy:
        ended = submit(proxy, "--on-doubt", "stop")
        assert ended.code == (75 if before else 0), ended.err
        assert proxy.seen["create"] == (1 if before else 3)
        assert set(stepwise.jobs().values()) <= {1}


@pytest.mark.parametrize("word, code", FINAL.items())
def test_a_refused_create_call_is_not_made_again(stepwise, submitting, word, code):
    step, submit = submitting
    with stepwise.service(), stepwise.proxy({"create": [f"before {word}"]}) as proxy:
        ended = submit(proxy)
        assert (ended.code, proxy.seen["create"]) == (code, 1)
        assert "as told" in ended.err
        assert submit(proxy).code == 0
        assert stepwise.jobs() == step.jobs


def prepare(stepwise, call, proxy):
    """What makes the call; what is due before it has been done."""
    submit = ["submit", "rows.parquet.run", "--no-preflight", *stepwise.reach(proxy.url)]
    if call == "list":
        # The first answer to a create call is lost, so that its job has to be looked for.
        proxy.faults["create"] = ["reset"]
        return submit
    submitted = stepwise.call(*submit)
    assert submitted.code == 0, submitted.err
    proxy.seen.clear()
    return [{"get": "wait", "cancel": "cancel"}[call], "rows.parquet.run"]


OTHERS = ["list", "get", "cancel"]
# That the service does not know a job by its name is no refusal.
REFUSALS = [(call, *final) for call in OTHERS for final in FINAL.items() if (call, final[0]) != ("get", "404")]


@pytest.fixture
def built(stepwise):
    step = stepwise.steps["submit"]
    stepwise.restore(step.before)
    return step


@pytest.mark.parametrize("word", [*PASSING, *(f"before {word}" for word in PASSING)])
@pytest.mark.parametrize("call", OTHERS)
def test_any_other_call_is_made_again_after_a_passing_fault(stepwise, built, call, word):
    with stepwise.service(pending_s=600 if call == "cancel" else 0), stepwise.proxy({}) as proxy:
        argv = prepare(stepwise, call, proxy)
        proxy.faults[call] = [word, word]
        ended = stepwise.call(*argv, **timeout(proxy))
        assert ended.code == 0, ended.err
        assert 3 <= proxy.seen[call] <= 500
        assert stepwise.jobs() == built.jobs
        if call == "cancel":
            assert set(states(stepwise)) == {"JOB_STATE_CANCELLED"}


@pytest.mark.parametrize("word", PASSING)
@pytest.mark.parametrize("call", OTHERS)
@pytest.mark.usefixtures("built")
def test_a_fault_that_stays_ends_after_so_many_calls(stepwise, call, word):
    with stepwise.service(pending_s=600), stepwise.proxy({}) as proxy:
        argv = prepare(stepwise, call, proxy)
        proxy.faults[call] = [f"before {word}"] * FOR_EVER
        ended = stepwise.call(*argv, read_timeout_s=0.05 if word == "stall" else 30)
        assert ended.code == 75, ended.err
        # Of a job, however many others there are.
        assert proxy.seen[call] <= 20 * max(1, len(stepwise.jobs()))
        assert proxy.seen["create"] <= 1
        assert set(stepwise.jobs().values()) <= {1}


@pytest.mark.usefixtures("built")
def test_a_job_that_is_not_known_by_its_name_is_looked_up_by_its_label(stepwise):
    with stepwise.service(), stepwise.proxy({}) as proxy:
        argv = prepare(stepwise, "get", proxy)
        proxy.faults["get"] = ["before 404"] * FOR_EVER
        ended = stepwise.call(*argv)
        assert ended.code == 0, ended.err
        assert ended.err.count("JOB_STATE_SUCCEEDED") == 3


@pytest.mark.parametrize("call, word, code", REFUSALS)
@pytest.mark.usefixtures("built")
def test_a_refusal_is_not_asked_for_twice(stepwise, call, word, code):
    with stepwise.service(pending_s=600), stepwise.proxy({}) as proxy:
        argv = prepare(stepwise, call, proxy)
        proxy.faults[call] = [f"before {word}"] * FOR_EVER
        ended = stepwise.call(*argv)
        assert ended.code == code, ended.err
        assert proxy.seen[call] == 1
        assert set(stepwise.jobs().values()) <= {1}


def states(world):
    """The jobs' states, once none of them is about to change."""
    for _ in range(500):
        found = [json.loads(path.read_bytes())["state"] for path in (world.emulator_path / "jobs").glob("[!.]*.json")]
        if "JOB_STATE_CANCELLING" not in found:
            return found
        time.sleep(0.01)
    return found
