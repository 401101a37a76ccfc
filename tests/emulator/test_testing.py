import pytest
import requests

import geminate as gm
from geminate.emulator import EmulatorOptions
from geminate.pipeline.submit import SubmitOptions
from geminate.wire.jobs import JobSettings

pytest_plugins = ["geminate.emulator.testing"]


@pytest.fixture
def geminate_emulator_options():
    return EmulatorOptions(manual=True)


def test_the_fixture_gives_a_started_emulator_with_the_tests_options(geminate_emulator):
    assert requests.get(geminate_emulator.url, timeout=5).json()["emulator"] == "geminate"
    assert geminate_emulator.step() == 0
    assert geminate_emulator.buckets.is_dir()


DAY_S = 86_400
LATENCIES = {"waits": {"pending_s": 4 * DAY_S}, "crawls": {"row_latency_s": DAY_S / 2.5}}


@pytest.mark.parametrize(
    "geminate_emulator_options",
    [EmulatorOptions(faults={"jobs": [{"display_name": f"{name}-*", **each} for name, each in LATENCIES.items()]})],
)
@pytest.mark.parametrize("name, state, done", [("waits", "EXPIRED", 0), ("crawls", "CANCELLED", 2)])
def test_days_of_the_service_pass_in_a_users_test(geminate_emulator, tmp_path, name, state, done):
    (geminate_emulator.buckets / "my-bucket").mkdir()
    where = gm.Where(endpoint=geminate_emulator.url, buckets_path=geminate_emulator.buckets)
    prompts = [{"key": key, "text": "Bright."} for key in "abcd"]
    run = gm.Run.create(tmp_path / "run", prompts, gm.Spec.from_prompt("gemini-3.5-flash", "Review: {{ text }}"))
    run.submit(gm.Target(where, "gs://my-bucket/geminate"), options=SubmitOptions(settings=JobSettings(name)))
    while geminate_emulator.step(DAY_S / 4):
        pass
    (job,) = run.wait()
    assert job.state == f"JOB_STATE_{state}"
    outcomes = run.collect(tmp_path / "rows.parquet").outcomes
    assert outcomes == {key: count for key, count in {"ok": done, "missing": 4 - done}.items() if count}
