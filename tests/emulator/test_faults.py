import json
import time

import pytest
import requests

from geminate.emulator import FAULT_HEADER, EmulatorOptions
from geminate.emulator.call_faults import CallFault, parse_call_fault
from geminate.emulator.faults import Faults
from geminate.errors import UsageError

from .conftest import PARENT, job_body, prompt

JOBS = f"{PARENT}/batchPredictionJobs"
KEYS = [f"r-{place:03d}" for place in range(200)]
ROWS = [prompt(key, f"Question {key}") for key in KEYS]


def count_jobs(client):
    return len(client.call("GET", JOBS).json().get("batchPredictionJobs", []))


def post(client, fault=None, **options):
    client.write([prompt("a")])
    headers = {FAULT_HEADER: fault} if fault else {}
    return client.call("POST", JOBS, json=job_body(), headers=headers, **options)


class TestCalls:
    @pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 403])
    @pytest.mark.parametrize("commit", [False, True])
    def test_an_error_status_with_or_without_the_job(self, client, code, commit):
        answer = post(client, f"return-{code}; commit; retry-after=7" if commit else f"return-{code}")
        assert answer.status_code == answer.json()["error"]["code"] == code
        assert answer.headers.get("Retry-After") == ("7" if commit else None)
        assert count_jobs(client) == commit

    @pytest.mark.parametrize("word, jobs", [("reset-before", 0), ("return-reset-connection", 0), ("reset-after", 1)])
    def test_a_connection_reset_before_or_after_the_job(self, client, word, jobs):
        with pytest.raises(requests.ConnectionError, match="reset"):
            post(client, word)
        assert count_jobs(client) == jobs

    @pytest.mark.parametrize("fault, jobs", [("stall-for-0.3s; commit", 1), ("stall-for-0.3s", 0)])
    def test_a_stalled_answer(self, client, fault, jobs):
        client.write([prompt("a")])
        url = f"{client.emulator.url}/v1/{JOBS}"
        headers = {"Authorization": "Bearer x", FAULT_HEADER: fault}
        with pytest.raises(requests.Timeout):
            requests.post(url, json=job_body(), timeout=0.1, headers=headers)
        assert count_jobs(client) == jobs
        started = time.monotonic()
        assert post(client, fault).ok
        assert time.monotonic() - started >= 0.3

    def test_an_answer_that_breaks_off_or_comes_damaged(self, client):
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            post(client, "return-broken-stream")
        with pytest.raises(requests.exceptions.JSONDecodeError):
            post(client, "return-corrupted-data").json()
        assert count_jobs(client) == 2

    def test_the_script_is_used_up_entry_by_entry(self, emulate):
        client = emulate(
            faults={"http": {"create": ["return-503; times=2", "return-429; retry-after=1"], "get": ["return-500"]}}
        )
        assert [post(client).status_code for _ in range(5)] == [503, 503, 429, 200, 200]
        name = client.call("GET", JOBS).json()["batchPredictionJobs"][0]["name"]
        assert [client.call("GET", name).status_code for _ in range(2)] == [500, 200]

    def test_any_is_for_all_calls(self, emulate):
        client = emulate(faults={"http": {"any": ["return-503", "return-502"]}})
        assert [client.call("GET", JOBS).status_code, post(client).status_code, post(client).status_code] == [
            503,
            502,
            200,
        ]

    def test_stopping_does_not_wait_for_a_stall(self, emulate):
        client = emulate()
        headers = {"Authorization": "Bearer x", FAULT_HEADER: "stall-for-600s"}
        with pytest.raises(requests.Timeout):
            requests.get(f"{client.emulator.url}/v1/{JOBS}", timeout=0.05, headers=headers)
        started = time.monotonic()
        client.emulator.stop()
        assert time.monotonic() - started < 5


class TestScripts:
    def test_words_are_read(self):
        assert parse_call_fault("return-503 ; commit; retry-after=2; times=3") == CallFault(
            code=503, commit=True, retry_after_s=2, times=3
        )
        assert parse_call_fault("reset-after") == CallFault(reset=True, commit=True)
        assert parse_call_fault("stall-for-1.5s") == CallFault(stall_s=1.5)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "return-999",
            "return-50",
            "stall-for-xs",
            "stall-for-1.2.3s",
            "reset",
            "return-503; twice",
            "return-503; commit=1",
            "return-503; times=x",
        ],
    )
    def test_other_words_are_refused(self, text):
        with pytest.raises(UsageError):
            parse_call_fault(text)

    @pytest.mark.parametrize(
        "script",
        [
            {"colour": 1},
            {"http": {"create": ["explode"]}},
            {"http": {"patch": ["return-503"]}},
            {"jobs": [{"missing": 2}]},
            {"jobs": [{"end": "LOST"}]},
            {"rows": [{"state": "x"}]},
            "no-such-file.yaml",
        ],
    )
    def test_a_wrong_script_is_refused_at_once(self, script):
        with pytest.raises(UsageError):
            Faults(script)

    def test_a_script_may_be_a_file(self, emulate, tmp_path):
        script = tmp_path / "faults.yaml"
        script.write_text("rows:\n- {status: UNAVAILABLE, keys: 'b*'}\n")
        client = emulate(faults=script)
        lines = client.predictions(client.run([prompt("a1"), prompt("b1")]))
        found = {line["key"]: line["status"] for line in lines}
        assert found["a1"] == ""
        assert '"code": 503' in found["b1"]
        script.write_text("rows: [")
        with pytest.raises(UsageError, match=r"faults\.yaml"):
            emulate(faults=str(script))


class TestJobs:
    @pytest.mark.parametrize(
        "end, error", [("FAILED", 13), ("CANCELLED", 1), ("EXPIRED", 4), ("PARTIALLY_SUCCEEDED", None)]
    )
    def test_an_end_with_part_of_the_rows(self, emulate, end, error):
        client = emulate(faults={"jobs": [{"end": end, "after": 0.25}]})
        job = client.run(ROWS)
        assert job["state"] == f"JOB_STATE_{end}"
        assert job.get("error", {}).get("code") == error
        assert len(client.predictions(job)) == 50
        assert job["completionStats"] == {"successfulCount": "50", "incompleteCount": "150"}
        assert ("partialFailures" in job) == (end == "PARTIALLY_SUCCEEDED")

    def test_an_end_without_rows_names_its_directory_and_leaves_nothing_there(self, emulate):
        client = emulate(faults={"jobs": [{"end": "FAILED", "after": 0, "error": {"code": 8, "message": "Out."}}]})
        job = client.run(ROWS)
        assert job["error"] == {"code": 8, "message": "Out."}
        assert client.files(job) == {}

    def test_an_entry_is_for_the_jobs_it_matches_and_so_many_of_them(self, emulate):
        script = {"jobs": [{"display_name": "a*", "labels": {"team": "red"}, "times": 1, "end": "FAILED"}]}
        client = emulate(faults=script)
        red = {"labels": {"team": "red"}}
        ends = [client.run(ROWS[:1], displayName="b", **red), client.run(ROWS[:1], displayName="a1")]
        ends += [client.run(ROWS[:1], displayName="a1", **red), client.run(ROWS[:1], displayName="a2", **red)]
        words = [job["state"].removeprefix("JOB_STATE_") for job in ends]
        assert words == ["SUCCEEDED", "SUCCEEDED", "FAILED", "SUCCEEDED"]
        again = emulate(faults=script)
        assert again.run(ROWS[:1], displayName="a3", **red)["state"] == "JOB_STATE_SUCCEEDED"

    def test_an_entry_may_come_with_the_create_call_and_outlives_a_restart(self, emulate):
        script = {"jobs": [{"end": "CANCELLED"}], "rows": [{"status": "INTERNAL", "keys": "r-000"}]}
        client = emulate(faults=script, manual=True)
        client.write(ROWS)
        entry = json.dumps({"end": "FAILED", "after": 0.5, "rows": [{"answer": "SAFETY"}]})
        name = client.call("POST", JOBS, json=job_body(), headers={FAULT_HEADER: entry}).json()["name"]
        other = client.create()
        client = emulate(faults=script)
        job = client.wait(name)
        assert (job["state"], len(client.predictions(job))) == ("JOB_STATE_FAILED", 100)
        assert {line["response"]["candidates"][0]["finishReason"] for line in client.predictions(job)} == {"SAFETY"}
        assert client.wait(other)["state"] == "JOB_STATE_CANCELLED"

    def test_a_list_shows_a_job_late(self, emulate):
        client = emulate(manual=True, faults={"jobs": [{"listed_after_s": 60}]})
        name = client.create(ROWS)
        assert client.job(name)["name"] == name
        assert count_jobs(client) == 0
        client.emulator.step(60)
        assert count_jobs(client) == 1

    def test_missing_doubled_and_orphaned_rows(self, emulate):
        client = emulate(faults={"jobs": [{"missing": 0.2, "doubled": 0.2, "orphaned": 0.1}]})
        keys = [line["key"] for line in client.predictions(client.run(ROWS))]
        orphans = [key for key in keys if key.endswith("-orphan")]
        missing = set(KEYS) - set(keys)
        assert 10 <= len(orphans) <= 35
        assert 20 <= len(missing) <= 60
        assert 20 <= len(keys) - len(orphans) - len(set(keys) & set(KEYS)) <= 60
        again = [line["key"] for line in client.predictions(client.run(ROWS))]
        assert sorted(again) == sorted(keys)

    def test_an_orphan_without_a_key_holds_a_foreign_request(self, emulate):
        client = emulate(faults={"jobs": [{"orphaned": 1}]})
        texts = [
            line["request"]["contents"][0]["parts"][0]["text"]
            for line in client.predictions(client.run([prompt(None, "mine")]))
        ]
        assert sorted(texts) == ["A request that nobody sent.", "mine"]

    def test_several_output_files_hold_all_rows(self, emulate):
        client = emulate(faults={"jobs": [{"output_files": 3}]})
        job = client.run(ROWS)
        files = client.files(job)
        assert list(files) == [f"predictions_000{number}.jsonl" for number in (1, 2, 3)]
        assert {len(text.splitlines()) for text in files.values()} == {66, 67}
        assert sorted(line["key"] for line in client.predictions(job)) == KEYS

    def test_incremental_objects_while_it_runs(self, emulate):
        client = emulate(manual=True, rows_per_move=80, faults={"jobs": [{"incremental": True}]})
        name = client.create(ROWS)
        seen = []
        while client.emulator.step():
            job = client.job(name)
            seen = [file for file in client.files(job) if not file.startswith(".")] if "outputInfo" in job else seen
        assert seen == [f"incremental_predictions_0000{number}.jsonl" for number in (0, 1, 2)]
        files = client.files(client.job(name))
        assert "predictions.jsonl" in files
        shown = b"".join(text for file, text in files.items() if file.startswith("incremental"))
        assert shown == files["predictions.jsonl"]

    def test_incremental_objects_alone_after_a_failure(self, emulate):
        client = emulate(faults={"jobs": [{"incremental": True, "final_files": False, "end": "FAILED", "after": 0.5}]})
        files = client.files(client.run(ROWS))
        assert files
        assert all(name.startswith("incremental_predictions_") for name in files)

    def test_a_cancellation_may_be_too_late(self, emulate):
        client = emulate(manual=True, faults={"jobs": [{"ignore_cancel": True}]})
        name = client.create(ROWS)
        client.emulator.step()
        client.call("POST", f"{name}:cancel", json={})
        assert client.job(name)["state"] == "JOB_STATE_CANCELLING"
        while client.emulator.step():
            pass
        job = client.job(name)
        assert (job["state"], len(client.predictions(job))) == ("JOB_STATE_SUCCEEDED", 200)

    def test_keys_that_look_like_numbers_may_be_rewritten(self, emulate):
        client = emulate(faults={"jobs": [{"coerce_keys": True}]})
        keys = [line["key"] for line in client.predictions(client.run([prompt("000000"), prompt("k:000001")]))]
        assert sorted(keys, key=str) == [0, "k:000001"]

    def test_a_predictions_file_is_replayed_as_it_is(self, emulate, tmp_path):
        replay = tmp_path / "replay.jsonl"
        lines = [
            b'{"key": "x",  "status": "", "response": {"a": 1.0}}',
            b'{"status": "Bad", "response": {}}',
            b"not JSON",
        ]
        replay.write_bytes(b"\n".join(lines))
        client = emulate(faults={"jobs": [{"replay": str(replay)}]})
        job = client.run(ROWS)
        assert client.files(job) == {"predictions.jsonl": b"\n".join([*lines, b""])}
        assert job["completionStats"] == {"successfulCount": "1", "failedCount": "2"}


class TestRows:
    def run(self, emulate, faults, rows=ROWS, **options):
        client = emulate(faults=faults, **options)
        return {line["key"]: line for line in client.predictions(client.run(rows))}

    @pytest.mark.parametrize(
        "name, code",
        [("RESOURCE_EXHAUSTED", 429), ("DEADLINE_EXCEEDED", 4), ("FAILED_PRECONDITION", 400), ("INVALID_ROLE", 400)],
    )
    def test_a_named_status(self, emulate, name, code):
        line = self.run(emulate, {"rows": [{"status": name}]}, ROWS[:1])["r-000"]
        assert line["response"] == {}
        phrase, brace, rest = line["status"].partition("{")
        assert phrase.endswith(": ")
        assert json.loads(brace + rest)["error"]["code"] == code

    def test_a_status_in_ones_own_words(self, emulate):
        line = self.run(emulate, {"rows": [{"status": "Something else."}]}, ROWS[:1])["r-000"]
        assert (line["status"], line["response"]) == ("Something else.", {})

    def test_a_rate_strikes_the_same_rows_again(self, emulate):
        faults = {"rows": [{"status": "RESOURCE_EXHAUSTED", "rate": 0.3}]}
        struck = {key for key, line in self.run(emulate, faults).items() if line["status"]}
        assert 35 <= len(struck) <= 85
        assert {key for key, line in self.run(emulate, faults).items() if line["status"]} == struck

    @pytest.mark.parametrize(
        "rule, keys",
        [
            ({"keys": "r-00?"}, KEYS[:10]),
            ({"lines": [1, 200]}, ["r-000", "r-199"]),
            ({"contains": "Question r-05"}, KEYS[50:60]),
            ({"when": lambda row: row["key"] == "r-007"}, ["r-007"]),
            ({"keys": "r-00?", "lines": [3]}, ["r-002"]),
        ],
    )
    def test_a_rule_strikes_the_rows_it_means(self, emulate, rule, keys):
        found = self.run(emulate, {"rows": [{"status": "INTERNAL", **rule}]})
        assert sorted(key for key, line in found.items() if line["status"]) == keys

    def test_the_first_rule_counts_and_a_jobs_own_come_first(self, emulate):
        faults = {"jobs": [{"rows": [{"answer": "EMPTY", "keys": "r-000"}]}], "rows": [{"status": "INTERNAL"}]}
        found = self.run(emulate, faults, ROWS[:2])
        assert found["r-000"]["status"] == ""
        assert found["r-001"]["status"] != ""

    def test_failed_rows_are_counted(self, emulate):
        client = emulate(faults={"rows": [{"status": "INTERNAL", "keys": "r-00?"}]})
        assert client.run(ROWS)["completionStats"] == {"successfulCount": "190", "failedCount": "10"}

    def test_bent_answers(self, emulate):
        bends = ["SAFETY", "BLOCKED", "EMPTY", "MAX_TOKENS", "ONLY_THOUGHTS", "INVALID_JSON", "SPLIT", "RECITATION"]
        faults = {"rows": [{"answer": bend, "lines": [place + 1]} for place, bend in enumerate(bends)]}
        found = self.run(emulate, faults, ROWS[: len(bends) + 1])
        plain = found[KEYS[len(bends)]]["response"]["candidates"][0]
        assert plain["finishReason"] == "STOP"
        responses = {bend: found[key]["response"] for bend, key in zip(bends, KEYS, strict=False)}
        assert all(found[key]["status"] == "" for key in found)
        assert "candidates" not in responses["BLOCKED"]
        assert responses["BLOCKED"]["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
        first = {bend: response["candidates"][0] for bend, response in responses.items() if bend != "BLOCKED"}
        assert first["SAFETY"]["finishReason"] == "SAFETY"
        assert "content" not in first["SAFETY"]
        assert first["RECITATION"] == {"finishReason": "RECITATION"}
        assert first["EMPTY"]["content"]["parts"] == [{"text": ""}]
        assert (first["MAX_TOKENS"]["finishReason"], bool(first["MAX_TOKENS"]["content"]["parts"][0]["text"])) == (
            "MAX_TOKENS",
            True,
        )
        assert first["ONLY_THOUGHTS"]["content"] == {"role": "model"}
        usage = responses["ONLY_THOUGHTS"]["usageMetadata"]
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["thoughtsTokenCount"]
        assert first["INVALID_JSON"]["content"]["parts"][0]["text"].startswith("```json\n")
        parts = first["SPLIT"]["content"]["parts"]
        assert [part.get("thought") for part in parts] == [True, None, None]
        assert (parts[1]["text"] + parts[2]["text"]).startswith("Emulated answer ")


def test_options_take_a_script_as_text_path_or_mapping(tmp_path):
    script = tmp_path / "faults.json"
    script.write_text('{"rows": []}')
    for form in (script, str(script), {"rows": []}, None):
        Faults(EmulatorOptions(faults=form).faults)
