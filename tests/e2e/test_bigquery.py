"""Every route between buckets and tables, through the command, Google's clients and the emulator."""

import json
import os
from collections import Counter
from contextlib import closing
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from geminate.emulator import Emulator
from geminate.emulator.tables.jobs import Jobs

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "fixtures/prompts/words.csv"
WORDS_SPEC = ROOT / "fixtures/specs/words.yaml"
PROMPT = ("--model", "gemini-3.5-flash", "--prompt", "Rate {{ word }}.")
HERE = ("--emulate", "--location", "us-central1")


@pytest.fixture
def served(tmp_path):
    """A running emulator with a dataset in one region, and a bucket."""
    with Emulator(tmp_path / "served") as emulator:
        (emulator.buckets / "bucket").mkdir()
        with closing(client_of(emulator)) as client:
            dataset = bigquery.Dataset("emulated.words")
            dataset.location = "us-central1"
            client.create_dataset(dataset)
            client.create_dataset("emulated.wide")
        yield emulator


@pytest.fixture
def bq(served):
    with closing(client_of(served)) as client:
        yield client


def client_of(emulator):
    options = {"api_endpoint": emulator.url}
    return bigquery.Client("emulated", credentials=AnonymousCredentials(), client_options=options)


@pytest.mark.parametrize("source", ["gs://bucket/s", "bq://emulated.words"])
@pytest.mark.parametrize("target", ["gs://bucket/s", "bq://emulated.words"])
def test_every_route_gives_every_prompt_its_row(geminate, tmp_path, source, target):
    places = ("--staging", source, "--predictions-to", target)
    geminate("run", WORDS, "--spec", WORDS_SPEC, *HERE, *places, "--shard-rows", 400, "-o", "rows.parquet")
    rows, prompts = pq.read_table(tmp_path / "rows.parquet"), pc.read_csv(WORDS)
    assert rows.select(prompts.column_names).to_pylist() == prompts.to_pylist()
    assert set(rows["gemini_outcome"].to_pylist()) == {"ok"}
    first = rows["gemini_source"][0].as_py()
    assert first.startswith("bq://emulated.words.predictions_" if target.startswith("bq") else "gs://bucket/s/")


def test_from_a_table_to_a_table_to_joined_rows(geminate, tmp_path, served, bq):
    columns = [bigquery.SchemaField(*field) for field in [("word", "STRING"), ("n", "INTEGER"), ("at", "TIMESTAMP")]]
    bq.create_table(bigquery.Table("emulated.words.prompts", columns))
    given = [{"word": f"w{n}", "n": n, "at": "2026-11-22T01:02:03Z"} for n in range(50)]
    assert bq.insert_rows_json("emulated.words.prompts", given) == []
    where = ("--endpoint", served.url, "--location", "us-central1", "--staging", "bq://emulated.words")
    command = ("run", "bq://emulated.words.prompts", *PROMPT, "--key", "word", *where, "-o", "rows.parquet", "--json")
    finished = json.loads(geminate(*command).stdout)
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [(row["word"], row["n"]) for row in rows] == [(row["word"], row["n"]) for row in given]
    (job,) = finished["jobs"]
    output = bq.get_table(job["output_uri"].removeprefix("bq://"))
    assert [field.name for field in output.schema] == [
        "request",
        "key",
        "word",
        "n",
        "at",
        "response",
        "status",
        "processed_time",
    ]
    assert {row["n"] for row in bq.list_rows(output)} == set(range(50))
    # Nothing is loaded, made or paid a second time.
    assert json.loads(geminate(*command).stdout) == finished
    assert len(list(bq.list_tables("emulated.words"))) == 3
    # And the same table joins without a run.
    join = ("join", "--inputs", "bq://emulated.words.prompts", "--key", "word", "--endpoint", served.url)
    geminate(*join, "--predictions", job["output_uri"], "-o", "again.parquet")
    again = pq.read_table(tmp_path / "again.parquet").to_pylist()
    texts = [[row["gemini_text"] for row in sorted(each, key=lambda row: row["n"])] for each in (rows, again)]
    assert texts[0] == texts[1]


def test_tables_take_what_the_importer_refuses(geminate, tmp_path):
    (tmp_path / "spec.json").write_text(
        json.dumps(
            {
                "model": "gemini-3.5-flash",
                "request": {
                    "contents": [{"role": "user", "parts": [{"text": "{{ word }}"}]}],
                    "tools": [{"googleSearch": {}}],
                },
                "answer": {
                    "type": "object",
                    "properties": {"how sure?": {"type": "integer"}},
                    "required": ["how sure?"],
                },
            }
        )
    )
    (tmp_path / "prompts.csv").write_text("word\ntyrant\n")
    refused = geminate("run", "prompts.csv", "--spec", "spec.json", "--emulate", "-o", "rows.parquet", code=5)
    assert "BigQuery" in refused.stderr
    place = ("--staging", "bq://emulated.words")
    geminate("run", "prompts.csv", "--spec", "spec.json", *HERE, *place, "-o", "rows.parquet")
    (row,) = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert (row["gemini_outcome"], list(row["gemini_answer"])) == ("ok", ["how sure?"])
    elsewhere = geminate("build", "prompts.csv", "--spec", "spec.json", "--out", "bq://emulated.words", *HERE)
    assert "1 request" in elsewhere.stderr
    assert "leaked" not in elsewhere.stderr  # What DuckDB says of cycles that nobody looked for.


def test_a_retry_is_a_smaller_table(geminate, tmp_path, monkeypatch):
    (tmp_path / "answers.py").write_text(
        "from pathlib import Path\n"
        "def answer(request):\n"
        "    text = request['contents'][0]['parts'][0]['text']\n"
        "    seen = Path(__file__).with_name(text)\n"
        "    if 'bad' not in text or seen.exists():\n"
        "        return 'done'\n"
        "    seen.touch()\n"
        "    return {'error': {'code': 429, 'message': 'quota', 'status': 'RESOURCE_EXHAUSTED'}}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "prompts.csv").write_text("word,n\ngood,1\nbad,2\nfine,3\n")
    contents = [{"role": "user", "parts": [{"text": "{{ word }}"}]}]
    # An empty object is what a table takes and a file does not.
    request = {"contents": contents, "tools": [{"googleSearch": {}}]}
    (tmp_path / "spec.json").write_text(json.dumps({"model": "gemini-3.5-flash", "request": request}))
    place = ("--staging", "bq://emulated.words", "--answerer", "answers:answer")
    geminate("run", "prompts.csv", "--spec", "spec.json", *HERE, *place, "-o", "rows.parquet", code=3)
    geminate("retry", "rows.parquet.run")
    geminate("wait", "rows.parquet.run")
    geminate("collect", "rows.parquet.run", "-o", "again.parquet")
    rows = pq.read_table(tmp_path / "again.parquet").to_pylist()
    assert [(row["word"], row["gemini_outcome"], row["gemini_attempt"]) for row in rows] == [
        ("good", "ok", 1),
        ("bad", "ok", 2),
        ("fine", "ok", 1),
    ]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--staging", "bq://emulated.words"), "jobs in global take no BigQuery tables; give --location"),
        (("--staging", "bq://emulated.words", "--location", "europe-west4"), "lies in us-central1, and the jobs"),
        (("--staging", "bq://emulated.none", "--location", "us-central1"), "no such dataset"),
        (("--staging", "bq://emulated.words.t", "--location", "us-central1"), "bq://project.dataset"),
        (("--staging", "bq://emulated.wide", "--location", "us-central1"), "is multi-regional (US)"),
    ],
)
def test_a_place_that_will_not_do_is_told_at_once(geminate, tmp_path, served, arguments, said):
    before = sorted(path.name for path in tmp_path.iterdir())
    finished = geminate("run", WORDS, *PROMPT, "--endpoint", served.url, *arguments, "-o", "rows.parquet", code=5)
    assert said in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with closing(client_of(served)) as client:
        assert list(client.list_tables("emulated.words")) == []


def test_rows_that_are_not_ok_come_back_from_a_table_too(geminate, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"key":"7","word":"x","l":[1]}\n{"key":"b","word":null,"l":[]}\n')
    place = ("--staging", "bq://emulated.words")
    finished = geminate("run", "prompts.jsonl", *PROMPT, *HERE, *place, "-o", "rows.parquet", "--json", code=3)
    assert Counter(json.loads(finished.stdout)["outcomes"]) == {"ok": 1, "rejected": 1}
    assert [row["key"] for row in pq.read_table(tmp_path / "rows.parquet").to_pylist()] == ["7", "b"]


def test_joined_rows_become_a_table_once(geminate, tmp_path, served, bq):
    given = '{"key":"a","word":"x","tags":["t"]}\n{"key":"b","word":null,"tags":[]}\n'
    (tmp_path / "prompts.jsonl").write_text(given)
    where = ("--endpoint", served.url, "--location", "us-central1", "--staging", "gs://bucket/s")
    command = ("run", "prompts.jsonl", *PROMPT, *where, "-o", "bq://emulated.words.rows", "--json")
    first = json.loads(geminate(*command, code=3).stdout)
    rows = [dict(row) for row in bq.list_rows(bq.get_table("emulated.words.rows"))]
    assert [(row["key"], row["tags"], row["gemini_outcome"]) for row in rows] == [
        ("a", ["t"], "ok"),
        ("b", [], "rejected"),
    ]
    assert json.loads((tmp_path / "emulated.words.rows.manifest.json").read_text())["rows"] == 2
    assert json.loads(geminate(*command, code=3).stdout) == first
    assert bq.get_table("emulated.words.rows").num_rows == 2
    other = geminate(*command, "--run", "other", code=5)
    assert "the table exists already, and has rows" in json.loads(other.stdout)["error"]["message"]
    assert not (tmp_path / "other").exists()


def test_the_whole_way_over_a_real_server(geminate, local_bigquery, monkeypatch):
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", local_bigquery.url)
    options = {"api_endpoint": local_bigquery.url}
    with closing(bigquery.Client("test", credentials=AnonymousCredentials(), client_options=options)) as client:
        dataset = bigquery.Dataset("test.whole")
        dataset.location = "us-central1"
        client.create_dataset(dataset)
        columns = [bigquery.SchemaField("key", "STRING"), bigquery.SchemaField("word", "STRING")]
        client.create_table(bigquery.Table("test.whole.prompts", columns))
        given = [{"key": f"k{n}", "word": f"w{n}"} for n in range(20)]
        assert client.insert_rows_json("test.whole.prompts", given, timeout=20) == []
        place = ("--staging", "bq://test.whole", "-o", "bq://test.whole.rows")
        geminate("run", "bq://test.whole.prompts", *PROMPT, *HERE, *place)
        rows = sorted((dict(row) for row in client.list_rows("test.whole.rows")), key=lambda row: int(row["key"][1:]))
    assert [(row["key"], row["word"], row["gemini_outcome"]) for row in rows] == [
        (row["key"], row["word"], "ok") for row in given
    ]


def load(client, table, rows, *fields):
    schema = [bigquery.SchemaField(*field) for field in fields]
    options = bigquery.LoadJobConfig(schema=schema)
    client.load_table_from_json(rows, f"emulated.words.{table}", job_config=options, location="us-central1").result()


def test_prompts_may_be_a_query_that_is_not_run_unless_its_bill_is_allowed(geminate, tmp_path, served, bq):
    load(bq, "p", [{"key": "a", "word": "x", "n": 1}], ("key", "STRING"), ("word", "STRING"), ("n", "INTEGER"))
    (tmp_path / "q.sql").write_text("SELECT key, word FROM emulated.words.p")
    where = ("--endpoint", served.url, "--staging", "gs://bucket/s", "-o", "rows.jsonl")
    refused = geminate("run", "bq:@q.sql", *PROMPT, *where, code=5)
    assert "billed for 10,485,760 bytes, and 0 are allowed; give --max-bytes-billed 10485760" in refused.stderr
    assert not (tmp_path / "rows.jsonl.run").exists()
    geminate("run", "bq:@q.sql", *PROMPT, *where, "--max-bytes-billed", 10485760)
    (row,) = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert (row["key"], row["word"], "n" in row, row["gemini_outcome"]) == ("a", "x", False, "ok")


def test_request_tables_are_checked_like_lines(geminate, served, bq):
    good = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "tools": [{"googleSearch": {}}]}
    bad = {"contents": [{"role": "assistant", "parts": [{"text": "hi"}]}]}
    keyed = (("key", "STRING"), ("request", "JSON"))
    load(bq, "good", [{"key": "a", "request": good}], *keyed)
    load(bq, "bad", [{"key": "a", "request": good}, {"key": "b", "request": bad}], *keyed)
    load(bq, "odd", [{"key": "a", "request": good, "words": ["x"]}], *keyed, ("words", "STRING", "REPEATED"))
    load(bq, "taken", [{"key": "a", "request": good, "status": "new"}], *keyed, ("status", "STRING"))
    where = ("--endpoint", served.url)
    assert "no violations" in geminate("check", "bq://emulated.words.good", *where).stderr
    (found,) = geminate("check", "bq://emulated.words.bad", *where, "--json", code=5).stdout.splitlines()
    assert (json.loads(found)["rule"], json.loads(found)["key"]) == ("schema.role", "b")
    said = geminate("check", "bq://emulated.words.odd", *where, code=5).stderr
    assert "column words: batch prediction takes no column that is an array; make it JSON or text" in said
    said = geminate("check", "bq://emulated.words.taken", *where, code=5).stderr
    assert "column status: the service writes a column of that name itself; rename it" in said


def test_no_sql_is_sent_but_the_users_own(geminate, tmp_path, served, bq, monkeypatch):
    sent, insert = [], Jobs.insert

    def watched(self, project, document, media=None):
        sent.append(document.get("configuration", {}).get("query", {}).get("query"))
        return insert(self, project, document, media)

    monkeypatch.setattr(Jobs, "insert", watched)
    load(bq, "p", [{"key": "a", "word": "x"}, {"key": "b", "word": "y"}], ("key", "STRING"), ("word", "STRING"))
    where = ("--endpoint", served.url, "--location", "us-central1")
    sql = "\n  Select key , word\nfrom `emulated.words.p`;\n"
    (tmp_path / "q.sql").write_text(sql)
    command = ("run", "bq:@q.sql", *PROMPT, "--max-bytes-billed", 10485760, "--staging", "bq://emulated.words", *where)
    finished = json.loads(geminate(*command, "-o", "bq://emulated.words.rows", "--json").stdout)
    assert {text for text in sent if text} == {sql}
    sent.clear()
    (job,) = finished["jobs"]
    geminate("check", job["output_uri"].replace("predictions_", "requests_"), *where)
    geminate("join", "--predictions", job["output_uri"], *where, "-o", "bq://emulated.words.alone")
    geminate("collect", "emulated.words.rows.run", "-o", "rows.jsonl")
    geminate("run", "bq://emulated.words.p", *PROMPT, *where, "--staging", "gs://bucket/s", "-o", "more.jsonl")
    assert sent == [None]
