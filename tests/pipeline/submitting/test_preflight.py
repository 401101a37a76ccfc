"""What is told before a run's first create call."""

import msgspec
import pytest

import geminate as gm
from geminate.emulator import Emulator
from geminate.errors import AccessError, InputError, TransientError
from geminate.pipeline.submitting.plan import JobPlan
from geminate.pipeline.submitting.preflight import PROBE_NAME, Preflight
from geminate.wire.jobs import JobSettings

PROBE = f"gs://bucket/x/run1/{PROBE_NAME}"
SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}")


class Refusing:
    """A store or service, one of whose calls is refused."""

    def __init__(self, inner, call, error):
        self._inner = inner
        setattr(self, call, self._refuse)
        self._error = error

    def _refuse(self, *_):
        raise self._error

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.fixture
def check(built, outside, clock):
    folder, manifest = built

    def check(store=None, jobs=None, location="global", bucket=None, manifest=manifest):
        plan, said = JobPlan(folder, manifest, "gs://bucket/x", JobSettings()), []
        preflight = Preflight(plan, location, store or outside.store, jobs or outside.jobs, lambda _: bucket)
        preflight.check(clock, said.append)
        return [progress.notice for progress in said if progress.notice]

    return check


def test_where_nothing_is_in_the_way_nothing_is_said_or_left(check, outside, jobs):
    assert check() == []
    assert list(outside.store.list("gs://bucket/x")) == []
    assert (jobs.posts, jobs.lists) == (0, 1)


def test_a_probe_that_a_killed_preflight_left_is_taken_for_its_own(check, outside, monkeypatch):
    monkeypatch.setattr(type(outside.store), "delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        check()
    monkeypatch.undo()
    assert outside.store.stat(PROBE) is not None
    assert check() == []
    assert outside.store.stat(PROBE) is None


def test_a_foreign_object_in_its_place_is_left_alone(check, outside):
    outside.store.write(PROBE, [b"someone else's"])
    with pytest.raises(InputError, match="something else"):
        check()
    assert b"".join(outside.store.read(outside.store.stat(PROBE))) == b"someone else's"


@pytest.mark.parametrize("call", ["write", "read"])
def test_a_bucket_that_refuses_is_told_with_the_role(check, outside, call):
    refusal = AccessError("Cloud Storage refuses access", where="gs://bucket", remedy="check the roles")
    with pytest.raises(AccessError, match=r"roles/storage\.objectUser"):
        check(store=Refusing(outside.store, call, refusal))


def test_a_caller_who_may_not_delete_is_told_and_goes_on(check, outside):
    (notice,) = check(store=Refusing(outside.store, "delete", AccessError("no")))
    assert PROBE in notice


def test_a_service_that_refuses_is_told_with_the_role(check, jobs):
    with pytest.raises(AccessError, match=r"roles/aiplatform\.user"):
        check(jobs=Refusing(jobs, "list", AccessError("the service refuses access (403): x")))


def test_missing_credentials_keep_their_own_remedy(check, jobs):
    with pytest.raises(AccessError, match="gcloud"):
        check(jobs=Refusing(jobs, "list", AccessError("no usable Google credentials", remedy="use gcloud")))


def test_what_only_looks_odd_is_a_warning(check):
    odd_place, far_bucket = check(location="europe-west4", bucket="US")
    assert "not known to run in europe-west4" in odd_place
    assert "gs://bucket lies in us" in far_bucket


@pytest.mark.parametrize("field, option", [("rows", "--shard-rows"), ("size_bytes", "--shard-bytes")])
def test_a_shard_over_a_limit_is_refused(check, built, field, option):
    _, manifest = built
    large = msgspec.structs.replace(manifest.shards[0], **{field: 2_000_000_000})
    with pytest.raises(InputError, match=option):
        check(manifest=msgspec.structs.replace(manifest, shards=(large,)))


def test_a_table_may_have_more_bytes_than_a_file(check, built):
    _, manifest = built
    large = msgspec.structs.replace(manifest.shards[0], size_bytes=2_000_000_000)
    assert check(manifest=msgspec.structs.replace(manifest, shards=(large,), for_table=True)) == []


def test_a_service_that_does_not_answer_leaves_nothing_behind(check, outside, jobs):
    with pytest.raises(TransientError):
        check(jobs=Refusing(jobs, "list", TransientError("no answer")))
    assert list(outside.store.list("gs://bucket/x")) == []


@pytest.fixture
def real(tmp_path, gcs_url, monkeypatch):
    """A run aimed at the emulator, its lines at a real Cloud Storage server."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_url)
    run = gm.Run.create(tmp_path / "run", [{"key": "a", "word": "x"}], SPEC)
    with Emulator(tmp_path / "emulator") as emulator:
        yield run, gm.Where(project="p", location="us-central1", endpoint=emulator.url), tmp_path / "emulator/jobs"


def test_a_bucket_that_is_not_there_is_told_before_anything_is_paid(real):
    run, where, jobs_path = real
    with pytest.raises(InputError, match="no such bucket"):
        run.submit(gm.Target(where, "gs://nowhere-to-be-found/x"))
    assert list(jobs_path.glob("*.json")) == []


def test_a_real_bucket_passes_and_its_place_is_known(real):
    run, where, _ = real
    said = []
    run.submit(gm.Target(where, "gs://bucket/preflight"), said.append)
    notices = [progress.notice for progress in said if progress.notice]
    assert [notice.partition(" is not known")[0] for notice in notices] == ["warning: gemini-3.5-flash"]


def test_a_bucket_that_is_not_there_is_named_itself(check, outside):
    store = Refusing(outside.store, "write", InputError("no such bucket or object", where=PROBE, remedy="x"))
    with pytest.raises(InputError, match=r"^gs://bucket/x: no such bucket"):
        check(store=store)
