"""A run whose prompts, requests, predictions and rows are BigQuery tables, with each fault at each kind of call."""

from contextlib import chdir, closing

import pyarrow as pa
import pytest
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

import geminate as gm
from geminate import resumable
from geminate.adapters.bigquery import failures
from geminate.connect import open_tables
from geminate.emulator import Emulator, EmulatorOptions
from geminate.errors import TransientError
from geminate.formats.prompts import PromptOptions, open_prompts
from geminate.pipeline.build import BuildOptions

SPEC = gm.Spec.from_prompt("gemini-3.5-flash", "Rate {{ word }}.")
VOLATILE = ["gemini_job", "gemini_source", "gemini_processed_time", "gemini_response_id"]
PLACE = "bq://emulated.words"
COLUMNS = [bigquery.SchemaField("key", "STRING"), bigquery.SchemaField("word", "STRING")]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(failures, "RETRY", Retry(initial=0.01, maximum=0.1, timeout=20, predicate=failures._is_passing))
    monkeypatch.setattr(resumable, "_FIRST_CEILING_S", 0.01)


def finish(step):
    """What the step gives at last; each try may end with a passing fault."""
    for _ in range(10):
        try:
            return step()
        except TransientError:
            continue
    return step()


def prepare(folder):
    with (
        Emulator(folder) as emulator,
        closing(
            bigquery.Client(
                "emulated", credentials=AnonymousCredentials(), client_options={"api_endpoint": emulator.url}
            )
        ) as client,
    ):
        dataset = bigquery.Dataset("emulated.words")
        dataset.location = "us-central1"
        client.create_dataset(dataset)
        client.create_table(bigquery.Table("emulated.words.prompts", COLUMNS))
        given = [{"key": f"k{number}", "word": f"word {number}"} for number in range(12)]
        assert client.insert_rows_json("emulated.words.prompts", given) == []


def run_all(folder, faults):
    """The rows of the output table, and how many rows each request table has."""
    prepare(folder / "emulator")
    options = EmulatorOptions(faults={"tables": faults}, seed=1)
    with chdir(folder), Emulator(folder / "emulator", options) as emulator:
        where = gm.Where(endpoint=emulator.url, location="us-central1")
        with closing(open_tables(where)) as tables:
            prompts = finish(lambda: open_prompts(f"{PLACE}.prompts", tables=tables))
            run = gm.Run.create(folder / "run", prompts, SPEC, BuildOptions(for_table=True))
            finish(lambda: run.submit(gm.Target(where, PLACE)))
            run.wait()
            joined = finish(lambda: run.collect(f"{PLACE}.rows"))
            info = finish(lambda: tables.stat(f"{PLACE}.rows"))
            rows = finish(lambda: pa.Table.from_batches(list(tables.read(info))))
            (attempt,) = [status.attempt for status in run.status(refresh=False).attempts]
            sent = finish(lambda: tables.stat(attempt.input_uri)).rows
    assert joined.rows == rows.num_rows == sent == 12
    return rows.drop_columns(VOLATILE)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return run_all(tmp_path_factory.mktemp("quiet"), {})


FAULTS = ["return-503", "return-503; commit", "return-429", "reset-before", "reset-after", "return-broken-stream"]
CASES = [(verb, fault) for verb in ("dataset", "table", "read", "insert", "upload", "job") for fault in FAULTS]


@pytest.mark.parametrize("verb, fault", [*CASES, ("upload", "return-503-after-256K"), ("read", "stall-for-0.1s")])
def test_a_fault_at_every_kind_of_call_gives_the_same_rows_once(tmp_path, expected, verb, fault):
    rows = run_all(tmp_path, {verb: [fault, "stall-for-0s", "stall-for-0s"] * 30})
    assert rows.equals(expected)
    assert set(rows["gemini_outcome"].to_pylist()) == {"ok"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_every_second_call_of_all_gives_them_too(tmp_path, expected, fault):
    assert run_all(tmp_path, {"any": [fault, "stall-for-0s"] * 60}).equals(expected)


@pytest.mark.parametrize("verb", ["insert", "query", "job", "read"])
@pytest.mark.parametrize("fault", FAULTS)
def test_prompts_of_a_query_are_the_same_whatever_its_calls_meet(tmp_path, verb, fault):
    prepare(tmp_path / "emulator")
    options = EmulatorOptions(faults={"tables": {verb: [fault, "stall-for-0s", "stall-for-0s"] * 10}})
    read = PromptOptions(max_bytes_billed=10**8)
    with Emulator(tmp_path / "emulator", options) as emulator:
        where = gm.Where(endpoint=emulator.url, location="us-central1")
        with closing(open_tables(where)) as tables:
            sql = "bq:SELECT key, word FROM emulated.words.prompts"
            prompts = finish(lambda: open_prompts(sql, tables=tables, options=read))
    rows = pa.Table.from_batches(prompts.iter_record_batches()).to_pylist()
    assert rows == [{"key": f"k{number}", "word": f"word {number}"} for number in range(12)]
