from dataclasses import replace

import pytest

import geminate as gm
from geminate.emulator import Emulator
from geminate.errors import GeminateError, TargetError

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Rate {{ word }}.")


@pytest.fixture
def emulator(tmp_path):
    with Emulator(tmp_path / "emulator") as emulator:
        (emulator.buckets / "bucket").mkdir()
        yield emulator


@pytest.fixture
def target(emulator):
    return lambda project=None: gm.Target(gm.Where(project, endpoint=emulator.url), "gs://bucket/x")


def test_jobs_stay_in_the_project_that_the_credentials_named_first(tmp_path, target, monkeypatch):
    run = gm.Run.create(tmp_path / "run", [{"key": "a", "word": "b"}], SPEC)
    with monkeypatch.context() as mistaken:
        mistaken.setattr("geminate.connect.EMULATED_PROJECT", "mistaken")
        with pytest.raises(GeminateError, match="bukcet"):
            run.submit(replace(target(), staging_uri="gs://bukcet/x"))
    (job,) = run.submit(target())
    monkeypatch.setattr("geminate.connect.EMULATED_PROJECT", "elsewhere")
    for named in (target(), target("emulated"), None):
        assert "/projects/emulated/" in run.preview(named).url
        assert run.submit(named) == [job]
    with pytest.raises(TargetError, match="project was 'emulated' and is now 'other'"):
        run.submit(target("other"))
    assert run.submit() == [job]
