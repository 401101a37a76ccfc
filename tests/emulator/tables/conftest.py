"""Google's own client on the emulator's tables."""

import io
import json
from contextlib import closing

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

PROJECT, DATASET, LOCATION = "rehearsal", "words", "us-central1"


@pytest.fixture
def bq(client):
    made = bigquery.Client(
        PROJECT, credentials=AnonymousCredentials(), client_options={"api_endpoint": client.emulator.url}
    )
    with closing(made):
        dataset = bigquery.Dataset(f"{PROJECT}.{DATASET}")
        dataset.location = LOCATION
        made.create_dataset(dataset)
        yield made


@pytest.fixture
def load(bq):
    """Loads rows into a table by a job, whose end it gives back."""

    def run(rows, fields, *, table="t", job_id=None, location=LOCATION, size=None, **settings):
        settings = {"write_disposition": "WRITE_EMPTY", **settings}
        options = bigquery.LoadJobConfig(
            source_format="NEWLINE_DELIMITED_JSON",
            schema=[bigquery.SchemaField(*field) for field in fields],
            **settings,
        )
        lines = rows if isinstance(rows, bytes) else b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        job = bq.load_table_from_file(
            io.BytesIO(lines),
            f"{PROJECT}.{DATASET}.{table}",
            size=size,
            job_id=job_id,
            job_config=options,
            location=location,
            num_retries=0,
        )
        return job.result(timeout=30)

    return run


@pytest.fixture
def read(bq):
    def rows(table="t", **options):
        return [dict(row) for row in bq.list_rows(bq.get_table(f"{PROJECT}.{DATASET}.{table}"), **options)]

    return rows
