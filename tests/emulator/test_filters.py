import pytest

from geminate.emulator.filters import compile_filter
from geminate.emulator.jobs import Job
from geminate.emulator.statuses import ApiError
from geminate.emulator.times import parse_rfc3339

JOB = Job(
    id="1",
    ordinal=0,
    project="p",
    location="l",
    body={"displayName": "my job", "labels": {"team": "red", "run-id": "a.b"}},
    state="JOB_STATE_RUNNING",
    create_time=parse_rfc3339("2026-09-02T20:06:30.166279Z"),
    update_time=0,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        'displayName="my job"',
        "display_name = 'my job'",
        'displayName!="other"',
        'displayName:"my*"',
        "displayName:job",
        'state="JOB_STATE_RUNNING"',
        "state!=JOB_STATE_FAILED",
        "labels.team=red",
        "labels.team:*",
        "labels.run-id:*",
        'labels.run-id = "a.b"',
        "labels.team!=blue",
        "labels.colour!=blue",
        'createTime>"2026-09-02T20:06:30Z"',
        "createTime>2026-09-02T20:06:30Z",
        'createTime="2026-09-02T20:06:30.166279Z"',
        'create_time>="2026-09-02T22:06:30.166279+02:00"',
        'createTime<"2026-09-02T20:06:31Z" AND createTime!="2026-09-02T20:06:30Z"',
        "NOT labels.team=blue",
        "-labels.team=blue",
        "labels.team=blue OR state=JOB_STATE_RUNNING",
        # OR binds tighter: (team or state) and name.
        'labels.team=red OR state=JOB_STATE_FAILED AND displayName="my job"',
        "labels.team=red labels.run-id:*",
        '(labels.team=blue OR (labels.team=red)) AND displayName:"my"',
        r'displayName!="my \"job\""',
    ],
)
def test_matches(text):
    assert compile_filter(text)(JOB)


@pytest.mark.parametrize(
    "text",
    [
        'displayName="my"',
        'displayName:"your*"',
        'displayName:"my ?ob"',
        "state!=JOB_STATE_RUNNING",
        "labels.team=blue",
        "labels.colour:*",
        "NOT labels.team:*",
        'createTime>"2026-09-02T20:06:30.166279Z"',
        "labels.team=blue OR state=JOB_STATE_FAILED",
        "labels.team=red OR labels.team=blue AND state=JOB_STATE_FAILED",
        "labels.team=red AND labels.team=blue",
    ],
)
def test_does_not_match(text):
    assert not compile_filter(text)(JOB)


@pytest.mark.parametrize(
    "text",
    [
        "colour=red",
        "displayName",
        "displayName=",
        "=x",
        "displayName>x",
        "state:RUNNING",
        "state=RUNNING",
        "labels.team<red",
        "createTime:x",
        "createTime>yesterday",
        'createTime>"2026-09-02T20:06:30"',
        "(state=JOB_STATE_RUNNING",
        "state=JOB_STATE_RUNNING)",
        "state=JOB_STATE_RUNNING AND",
        "labels.team=red OR",
    ],
)
def test_cannot_be_read(text):
    with pytest.raises(ApiError) as caught:
        compile_filter(text)
    assert caught.value.code == 400
