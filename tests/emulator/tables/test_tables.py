"""The rules of BigQuery that safety rests on, through Google's own client."""

import gzip
import json
from datetime import UTC, datetime

import pytest
import requests
from google.api_core import exceptions as api
from google.cloud import bigquery

from geminate.emulator.faults import Faults
from geminate.errors import UsageError

KEYED = [("key", "STRING"), ("request", "JSON")]
ROWS = [{"key": "a", "request": {"contents": []}}, {"key": "b", "request": {"b": 1, "a": {}}}]


@pytest.mark.parametrize("size", [None, 10_000])
def test_what_is_loaded_is_read_back(load, read, bq, size):
    job = load(ROWS, KEYED, size=size and len(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)))
    assert job.output_rows == 2
    assert read() == [{"key": "a", "request": {"contents": []}}, {"key": "b", "request": {"a": {}, "b": 1}}]
    table = bq.get_table("rehearsal.words.t")
    assert (table.num_rows, table.location) == (2, "us-central1")
    assert [(field.name, field.field_type) for field in table.schema] == KEYED


def test_a_job_id_is_used_once_and_its_job_is_found_by_it(load, read, bq):
    load(ROWS, KEYED, job_id="once")
    with pytest.raises(api.Conflict, match="Already Exists: Job rehearsal:once"):
        load(ROWS, KEYED, job_id="once", write_disposition="WRITE_APPEND")
    found = bq.get_job("once", location="us-central1")
    assert (found.state, found.output_rows, found.error_result) == ("DONE", 2, None)
    assert len(read()) == 2


def test_write_empty_refuses_a_table_with_rows_and_leaves_it_alone(load, read):
    load(ROWS[:1], KEYED)
    with pytest.raises(api.Conflict, match=r"Already Exists: Table rehearsal:words\.t"):
        load(ROWS, KEYED)
    assert len(read()) == 1
    load(ROWS, KEYED, write_disposition="WRITE_APPEND")
    assert len(read()) == 3
    load(ROWS, KEYED, write_disposition="WRITE_TRUNCATE")
    assert len(read()) == 2


def test_a_bad_row_fails_the_load_and_no_table_is_made(load, bq):
    lines = b'{"key":"a","request":{}}\n{"key":"b","request":{},"extra":1}\n'
    with pytest.raises(api.BadRequest, match="No such field: extra"):
        load(lines, KEYED)
    with pytest.raises(api.NotFound):
        bq.get_table("rehearsal.words.t")
    assert load(lines, KEYED, max_bad_records=1, job_id="other").output_rows == 1


@pytest.mark.parametrize(
    "value, kind, mode, reason",
    [
        ("x", "INTEGER", "NULLABLE", "Could not convert value"),
        (1.5, "INT64", "NULLABLE", "Could not convert value"),
        (2**63, "INTEGER", "NULLABLE", "Could not convert value"),
        ([1], "STRING", "NULLABLE", "Array specified for non-repeated field"),
        ("a", "STRING", "REPEATED", "Repeated field must be imported as a JSON array"),
        ([None], "STRING", "REPEATED", "Only optional fields can be set to NULL"),
        (None, "STRING", "REQUIRED", "Missing required field"),
        ("yesterday", "DATE", "NULLABLE", "Could not convert value"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(load, value, kind, mode, reason):
    with pytest.raises(api.BadRequest, match=reason):
        load([{"c": value}], [("c", kind, mode)])


def test_every_type_comes_back_as_what_it_was(load, read):
    row = {"s": "ä\n", "i": "9223372036854775807", "f": 0.1, "b": True, "d": "2026-11-22", "n": "1.50"}
    row |= {"t": "2026-11-22T01:02:03.000004Z", "y": "AAE=", "l": ["x", "y"], "j": [1, {"k": None}], "o": None}
    kinds = {"s": "STRING", "i": "INTEGER", "f": "FLOAT", "b": "BOOLEAN", "d": "DATE", "n": "NUMERIC"}
    kinds |= {"t": "TIMESTAMP", "y": "BYTES", "j": "JSON", "o": "STRING"}
    load([row], [*kinds.items(), ("l", "STRING", "REPEATED")])
    (found,) = read()
    assert found.pop("t") == datetime(2026, 11, 22, 1, 2, 3, 4, UTC)
    assert str(found.pop("n")) == "1.5"
    assert found.pop("d").isoformat() == "2026-11-22"
    assert found == {
        "s": "ä\n",
        "i": 2**63 - 1,
        "f": 0.1,
        "b": True,
        "y": b"\0\1",
        "l": ["x", "y"],
        "j": [1, {"k": None}],
        "o": None,
    }


def test_json_is_kept_in_one_form(load, bq):
    load(b'{"j": {"b": 1.0, "a": "\\u00e4", "b": 2}}\n', [("j", "JSON")])
    (batch,) = bq.list_rows("rehearsal.words.t", [bigquery.SchemaField("j", "JSON")]).to_arrow_iterable()
    assert batch.column("j").to_pylist() == ['{"a":"ä","b":1.0}']


def test_a_job_runs_where_its_dataset_lies(load, bq):
    with pytest.raises(api.NotFound, match="not found in location EU"):
        load(ROWS, KEYED, location="EU")
    load(ROWS, KEYED, job_id="here")
    with pytest.raises(api.NotFound):
        bq.get_job("here", location="EU")


def test_a_dataset_that_is_not_there_is_said_so(bq):
    with pytest.raises(api.NotFound, match="Not found: Dataset rehearsal:none"):
        bq.get_table("rehearsal.none.t")
    options = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=[{"name": "n", "type": "INTEGER"}])
    with pytest.raises(api.NotFound, match="Not found: Dataset rehearsal:none"):
        bq.load_table_from_json([{"n": 1}], "rehearsal.none.t", job_config=options)


@pytest.mark.parametrize(
    "fields, reason",
    [
        ([("a b", "STRING")], "Invalid field name"),
        ([("_TABLE_x", "STRING")], "Invalid field name"),
        ([("a", "STRING"), ("A", "STRING")], "already exists in schema"),
        ([("a", "TEXT")], "Invalid type"),
        ([("a", "RECORD")], "has no schema"),
    ],
)
def test_a_schema_that_breaks_a_rule_is_refused(bq, fields, reason):
    with pytest.raises(api.BadRequest, match=reason):
        bq.create_table(bigquery.Table("rehearsal.words.t", [bigquery.SchemaField(*field) for field in fields]))


def test_gzip_is_unpacked(load, read):
    load(gzip.compress(b'{"key":"a","request":{}}\n'), KEYED)
    assert read() == [{"key": "a", "request": {}}]


def test_pages_hold_what_fits_and_go_on_where_they_ended(load, bq):
    load([{"n": number} for number in range(25)], [("n", "INTEGER")])
    table = bq.get_table("rehearsal.words.t")
    rows = bq.list_rows(table, page_size=10)
    assert [len(list(page)) for page in rows.pages] == [10, 10, 5]
    assert [row["n"] for row in bq.list_rows(table, start_index=20)] == [20, 21, 22, 23, 24]
    load([{"text": "x" * 4_000_000} for _ in range(5)], [("text", "STRING")], table="wide")
    rows = bq.list_rows(bq.get_table("rehearsal.words.wide"))
    assert [len(list(page)) for page in rows.pages] == [3, 2]


def test_rows_are_streamed_in_all_or_none_and_once(bq, read):
    table = bigquery.Table(
        "rehearsal.words.t", [bigquery.SchemaField("n", "INTEGER"), bigquery.SchemaField("j", "JSON")]
    )
    table = bq.create_table(table)
    errors = bq.insert_rows_json(table, [{"n": 1}, {"n": "x"}])
    assert [error["index"] for error in errors] == [1, 0]
    assert read() == []
    for _ in range(2):
        assert bq.insert_rows_json(table, [{"n": 1, "j": '{"a":1}'}, {"n": 2}], row_ids=["a", "b"]) == []
    assert read() == [{"n": 1, "j": {"a": 1}}, {"n": 2, "j": None}]


def test_of_sql_only_the_reading_of_a_table_is_run(load, bq):
    load([{"n": 1, "m": 2}, {"n": 3, "m": 4}], [("n", "INTEGER"), ("m", "INTEGER")])
    rows = bq.query_and_wait("SELECT m FROM `rehearsal.words.t` LIMIT 1", job_retry=None)
    assert [dict(row) for row in rows] == [{"m": 2}]
    dry = bq.query("SELECT * FROM rehearsal.words.t", bigquery.QueryJobConfig(dry_run=True))
    assert dry.total_bytes_processed == bq.get_table("rehearsal.words.t").num_bytes
    limit = bigquery.QueryJobConfig(maximum_bytes_billed=1)
    with pytest.raises(api.GoogleAPICallError, match="exceeded limit for bytes billed: 1"):
        bq.query("SELECT * FROM rehearsal.words.t", limit, job_retry=None).result()
    with pytest.raises(api.MethodNotImplemented, match="local-bigquery"):
        bq.query("SELECT n + 1 FROM rehearsal.words.t", job_retry=None, retry=None)


def test_datasets_and_tables_are_listed_and_removed(load, bq):
    load(ROWS, KEYED)
    assert [dataset.dataset_id for dataset in bq.list_datasets()] == ["words"]
    assert [table.table_id for table in bq.list_tables("rehearsal.words")] == ["t"]
    with pytest.raises(api.BadRequest, match="still in use"):
        bq.delete_dataset("rehearsal.words")
    bq.delete_table("rehearsal.words.t")
    bq.delete_dataset("rehearsal.words")
    with pytest.raises(api.NotFound, match="Not found: Dataset rehearsal:words"):
        bq.get_dataset("rehearsal.words")


def test_tables_and_jobs_outlive_the_emulator(emulate, load, bq):
    load(ROWS, KEYED, job_id="kept")
    again = emulate()
    other = bigquery.Client(
        "rehearsal", credentials=bq._credentials, client_options={"api_endpoint": again.emulator.url}
    )
    try:
        assert other.get_job("kept", location="us-central1").output_rows == 2
        assert other.get_table("rehearsal.words.t").num_rows == 2
    finally:
        other.close()


def test_a_fault_meets_the_calls_on_tables(emulate, bq):
    client = emulate(faults={"tables": {"any": ["return-503"]}})
    other = bigquery.Client(
        "rehearsal", credentials=bq._credentials, client_options={"api_endpoint": client.emulator.url}
    )
    try:
        with pytest.raises(api.ServiceUnavailable):
            other.get_dataset("words", retry=None)
        assert other.get_dataset("words", retry=None).location == "us-central1"
    finally:
        other.close()


@pytest.mark.usefixtures("bq")
def test_a_fault_meets_one_kind_of_call_and_breaks_its_answer_off(emulate):
    client = emulate(faults={"tables": {"table": ["return-broken-stream"], "job": ["return-404"]}})
    url = f"{client.emulator.url}/bigquery/v2/projects/rehearsal/datasets/words"
    assert requests.get(url, timeout=5).json()["location"] == "us-central1"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{url}/tables", timeout=5).json()
    assert requests.get(f"{url}/tables", timeout=5).json()["totalItems"] == 0


@pytest.mark.parametrize("word", ["return-broken-stream-final-chunk-after-1K", "stall-for-1s-after-64K"])
def test_a_fault_of_objects_is_none_of_tables(word):
    with pytest.raises(UsageError, match="a fault of objects, for a call about tables"):
        Faults({"tables": {"read": [word]}})
