"""No token, and no prompt but in its own places, in what a run writes, says and logs, whatever the service answers."""

import re

import pytest

TOKEN = "ya29.canary-token-5f1d"
PROMPT = "canaryprompt"
# Where a prompt's text belongs: its shards, the prompts beside them, the rows, and, shortened, the violations.
OWN = re.compile(r"prompts(-\d+)?\.(csv|arrow)|requests-.*\.jsonl|rows\.parquet.*|violations\.jsonl")
REFUSALS = ["401 echo", "403 echo", "400 echo", "404 echo", "503 echo"]


@pytest.fixture
def world(stepwise):
    """The world before the build, its prompts full of the canary; everything is logged, to the standard error."""
    step = stepwise.steps["build"]
    stepwise.restore(step.before)
    prompts = stepwise.path / "prompts.csv"
    prompts.write_text(prompts.read_text().replace(",word ", f",{PROMPT} "))
    return stepwise


def call(world, *argv):
    environment = {"GEMINATE_DEBUG": "1", "GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN, "CLOUDSDK_AUTH_ACCESS_TOKEN": TOKEN}
    return world.call(*argv, environment=environment, token=TOKEN)


def leaks(world, word):
    """The files outside of the service that hold the word, compressed ones aside."""
    paths = (path for path in world.path.rglob("*") if path.is_file() and world.emulator_path not in path.parents)
    return {path.name for path in paths if word.encode() in path.read_bytes()}


@pytest.mark.parametrize("word", REFUSALS)
@pytest.mark.parametrize("name", ["create", "list", "get", "cancel"])
def test_what_the_service_says_of_a_refused_call_brings_no_secret_to_light(world, name, word):
    with world.service(pending_s=600), world.proxy({}) as proxy:
        build = call(world, *world.steps["build"].argv)
        submit = ["submit", "rows.parquet.run", "--no-preflight", *world.reach(proxy.url)]
        if name == "create":
            argv = submit
        elif name == "list":
            proxy.faults["create"] = ["reset"]
            argv = submit
        else:
            assert call(world, *submit).code == 0
            argv = [{"get": "wait"}.get(name, name), "rows.parquet.run"]
        proxy.faults[name] = [f"before {word}"] * 30
        ended = call(world, *argv)
        assert ended.code not in {0, 1, 99}, ended
        assert f"Bearer {TOKEN}" in proxy.tokens
        proxy.faults.clear()
        status = call(world, "status", "rows.parquet.run", "--json")
        for each in (build, ended, status):
            assert TOKEN not in each.out + each.err
        assert "DEBUG" in ended.err
        assert leaks(world, TOKEN) == set()
        assert all(map(OWN.fullmatch, leaks(world, PROMPT))), leaks(world, PROMPT)
        # The service's own words are shown once, to who asked; they are kept nowhere.
        assert PROMPT not in build.err + status.out + status.err


def test_a_run_that_goes_well_shows_its_prompts_in_their_own_places_only(world):
    with world.service():
        argv = world.steps["build"].argv
        said = [call(world, *argv), call(world, "submit", "rows.parquet.run", *world.where)]
        said += [call(world, word, "rows.parquet.run") for word in ("wait", "status")]
        said += [call(world, "collect", "rows.parquet.run", "-o", "rows.parquet", "--json")]
        said += [call(world, "retry", "rows.parquet.run"), call(world, "verify", "rows.parquet.run")]
    assert [each.code for each in said] == [3, 0, 0, 0, 3, 0, 0]
    assert leaks(world, PROMPT) >= {"requests-00000.jsonl", "requests-00000-2.jsonl"}
    assert all(map(OWN.fullmatch, leaks(world, PROMPT))), leaks(world, PROMPT)
    assert leaks(world, TOKEN) == set()
    for each in said:
        assert PROMPT not in each.out + each.err
        assert TOKEN not in each.out + each.err


BROKEN = {
    "prompts.csv": f"key,word,number\na,{PROMPT},1\nb,{PROMPT},2,{PROMPT}\n",
    "lines.jsonl": f'{{"key":"a","word":"{PROMPT}"}}\n{{"key":"b","word":"{PROMPT}\n',
    "array.json": f'[{{"key":"a","word":"{PROMPT}"}},{{"key":"b","word":"{PROMPT}]',
}


@pytest.mark.parametrize("name", BROKEN)
def test_prompts_that_cannot_be_read_are_placed_and_not_quoted(world, name):
    (world.path / name).write_text(BROKEN[name])
    ended = call(world, "build", name, "--model", "gemini-3.5-flash", "--prompt", "{{ word }}", "--out", "run")
    assert ended.code == 5, ended
    assert name in ended.err
    assert PROMPT not in ended.out + ended.err
