"""What a place can be in the way of: one sentence, its exit code, and nothing left of the attempt."""

from contextlib import closing

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from geminate.emulator import Emulator, EmulatorOptions

PROMPT = ("--model", "gemini-2.5-flash", "--prompt", "Rate {{ word }}.", "--location", "us-central1")
TABLES, BUCKET = ("--staging", "bq://emulated.words"), ("--staging", "gs://bucket/x")
RUN = ("run", "prompts.csv", *PROMPT)
OUT = ("-o", "rows.parquet")
WORDS = [("key", "STRING"), ("word", "STRING")]
REFUSED = "BigQuery refuses access; check the credentials"
# What is called, the faults that its calls meet, its exit code, and what it says.
CASES = {
    "no such bucket": ((*RUN, "--staging", "gs://none/x", *OUT), {}, 5, "gs://none/x/: no such bucket"),
    "a bucket that is closed": ((*RUN, *BUCKET, *OUT), {"storage": {"list": ["return-403"]}}, 77, "refuses access"),
    "no such dataset": ((*RUN, "--staging", "bq://emulated.none", *OUT), {}, 5, "bq://emulated.none: no such dataset"),
    "a dataset that is closed": ((*RUN, *TABLES, *OUT), {"tables": {"dataset": ["return-403"]}}, 77, REFUSED),
    "a dataset elsewhere": (
        (*RUN, *BUCKET, "--predictions-to", "bq://emulated.away", *OUT),
        {},
        5,
        "the dataset lies in europe-west4, and the jobs run in us-central1; give --location europe-west4",
    ),
    "no such prompts": (("run", "bq://emulated.words.none", *PROMPT, *TABLES, *OUT), {}, 5, "no such table"),
    "prompts that are closed": (
        ("run", "bq://emulated.words.full", *PROMPT, *TABLES, *OUT),
        {"tables": {"read": ["return-403"]}},
        77,
        f"bq://emulated.words.full: {REFUSED}",
    ),
    "a table that exists": ((*RUN, *BUCKET, "-o", "bq://emulated.words.full"), {}, 5, "the table exists already"),
    "an array in a request table": (("check", "bq://emulated.words.arrays"), {}, 5, "no column that is an array"),
    "a reserved name in a request table": (
        ("check", "bq://emulated.words.taken"),
        {},
        5,
        "writes a column of that name",
    ),
    "a reserved name in the prompts": (
        ("run", "taken.csv", *PROMPT, *TABLES, *OUT),
        {},
        5,
        "column 'Response': in a BigQuery table it would have the name of a column of the service's own; rename it",
    ),
}


@pytest.fixture
def serve(tmp_path):
    """Starts an emulator with a bucket, two datasets and some tables."""
    emulators = []

    def start(faults):
        # What is made here meets no faults.
        with Emulator(tmp_path / "emulator") as emulator, closing(client_of(emulator)) as client:
            (emulator.buckets / "bucket").mkdir()
            for name, location in (("words", "us-central1"), ("away", "europe-west4")):
                dataset = bigquery.Dataset(f"emulated.{name}")
                dataset.location = location
                client.create_dataset(dataset)
            add(client, "full", WORDS, {"key": "a", "word": "x"})
            request = {"request": "{}"}
            add(client, "arrays", [("request", "JSON"), ("words", "STRING", "REPEATED")], request | {"words": ["x"]})
            add(client, "taken", [("request", "JSON"), ("status", "STRING")], request | {"status": "new"})
        emulators.append(Emulator(tmp_path / "emulator", EmulatorOptions(faults=faults)))
        emulators[0].start()
        return emulators[0]

    yield start
    for emulator in emulators:
        emulator.stop()


def client_of(emulator):
    options = {"api_endpoint": emulator.url}
    return bigquery.Client("emulated", credentials=AnonymousCredentials(), client_options=options)


def add(client, name, fields, row):
    client.create_table(bigquery.Table(f"emulated.words.{name}", [bigquery.SchemaField(*field) for field in fields]))
    assert client.insert_rows_json(f"emulated.words.{name}", [row]) == []


@pytest.mark.parametrize("case", CASES)
def test_each_trouble_is_one_sentence_and_leaves_nothing(geminate, serve, tmp_path, case):
    arguments, faults, code, said = CASES[case]
    (tmp_path / "prompts.csv").write_text("key,word\na,x\n")
    (tmp_path / "taken.csv").write_text("key,word,Response\na,x,y\n")
    emulator = serve(faults)
    before = sorted(tmp_path.iterdir())
    finished = geminate(*arguments, "--endpoint", emulator.url, code=code)
    assert said in finished.stderr
    assert (finished.stdout, finished.stderr.count("\n")) == ("", 1)
    assert sorted(tmp_path.iterdir()) == before
    assert not list((emulator.buckets / "bucket").iterdir())
    assert not list((tmp_path / "emulator/jobs").glob("[!.]*.json"))
    with closing(client_of(emulator)) as client:
        assert {table.table_id for table in client.list_tables("emulated.words")} == {"full", "arrays", "taken"}


def test_a_right_that_only_a_load_can_miss_leaves_a_run_to_go_on_with(geminate, serve, tmp_path):
    (tmp_path / "prompts.csv").write_text("key,word\na,x\n")
    emulator = serve({"tables": {"insert": ["return-403"]}})
    command = (*RUN, *TABLES, *OUT, "--endpoint", emulator.url)
    finished = geminate(*command, code=77)
    assert REFUSED in finished.stderr
    assert finished.stderr.count("\n") == 1
    with closing(client_of(emulator)) as client:
        assert {table.table_id for table in client.list_tables("emulated.words")} == {"full", "arrays", "taken"}
    geminate(*command)
