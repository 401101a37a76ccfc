"""A process killed in the middle of a load, and the same command again: a job that was made is found by its id."""

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from geminate.emulator import Emulator, EmulatorOptions

ROWS = 40
COMMAND = [sys.executable, "-m", "geminate", "run", "prompts.jsonl", "--model", "gemini-3.5-flash", "--prompt"]
COMMAND += [
    "{{ word }}",
    "--location",
    "us-central1",
    "--staging",
    "bq://emulated.words",
    "-o",
    "bq://emulated.words.rows",
]
# The request table, the predictions, which the emulator loads itself, and the joined rows are loaded in this order, by
# a call each, or two where they are large. Where the last one is held back, the job is made and its answer is lost.
MOMENTS = {
    "requests, before the upload": ("insert", 0, "word"),
    "requests, in the middle of the upload": ("upload", 0, "word " * 90_000),
    "requests, once the job is made": ("upload", 0, "word"),
    "rows, before the upload": ("insert", 2, "word"),
    "rows, once the job is made": ("upload", 2, "word"),
}
HELD = "stall-for-60s"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_load_that_is_killed_is_gone_on_with_and_loads_nothing_twice(tmp_path, moment):
    verb, calls, word = MOMENTS[moment]
    (tmp_path / "prompts.jsonl").write_text(
        "".join(json.dumps({"key": f"k{n}", "word": word}) + "\n" for n in range(ROWS))
    )
    options = EmulatorOptions(
        faults={"tables": {verb: ["stall-for-0s"] * calls + [HELD]}}, new_dataset_location="us-central1"
    )
    with Emulator(tmp_path / "emulator", options) as emulator:
        command = [*COMMAND, "--endpoint", emulator.url]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
            held = emulator._faults._calls["tables", verb]
            for _ in range(6000):
                if not held or process.poll() is not None:
                    break
                time.sleep(0.01)
            time.sleep(0.2)  # What is held back has been done before.
            process.kill()
        assert process.returncode == -9
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        reach = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": emulator.url}}
        with closing(bigquery.Client("emulated", **reach)) as client:
            tables = {table.table_id.partition("_")[0]: table for table in client.list_tables("emulated.words")}
            assert tables.keys() == {"requests", "predictions", "rows"}
            for table in tables.values():
                keys = Counter(
                    row["key"]
                    for row in client.list_rows(table, selected_fields=[bigquery.SchemaField("key", "STRING")])
                )
                assert keys == Counter(f"k{n}" for n in range(ROWS))
            jobs = [job.job_id for job in client.list_jobs() if job.job_type == "load"]
            assert len(jobs) == 3
            assert not [job_id for job_id in jobs if job_id.endswith("-2")]
