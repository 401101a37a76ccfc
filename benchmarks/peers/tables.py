"""Brings prompts out of a BigQuery table and into another: ``WHAT URL FILE OUT``, where WHAT is one of ``WORKS``.

``OUT`` names the new table, and becomes a folder with a file that says so.
"""

import re
import sys
from pathlib import Path

import orjson
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

DATASET, LOCATION = "bench.words", "us-central1"
PLAIN = [("key", "STRING"), ("text", "STRING"), ("category", "STRING"), ("score", "FLOAT")]


def prepare(client: bigquery.Client, prompts: Path, out: Path) -> None:
    """The table of the prompts, once; says how many bytes it has."""
    del out
    made = bigquery.Dataset(DATASET)
    made.location = LOCATION
    client.create_dataset(made)
    config = _config(PLAIN)
    config.source_format = "PARQUET"
    with prompts.open("rb") as file:
        client.load_table_from_file(file, f"{DATASET}.prompts", job_config=config, location=LOCATION).result()
    print(client.get_table(f"{DATASET}.prompts").num_bytes)


def frame(client: bigquery.Client, spec: Path, out: Path) -> None:
    """What a notebook does: a frame, a request for each row, a frame."""
    rows = _read(client)
    request = orjson.loads(spec.read_bytes())["request"]
    (part,) = request["contents"][0]["parts"]
    texts = []
    for category, text in zip(rows["category"], rows["text"], strict=True):
        part["text"] = f"Category: {category}\n\nMessage:\n{text}"
        texts.append(orjson.dumps(request).decode())
    rows["request"] = texts
    _write(client, rows, [*PLAIN, ("request", "STRING")], out)


def copy(client: bigquery.Client, spec: Path, out: Path) -> None:
    """The same rows as they are."""
    del spec
    _write(client, _read(client), PLAIN, out)


def _read(client: bigquery.Client):
    return client.list_rows(client.get_table(f"{DATASET}.prompts")).to_dataframe(create_bqstorage_client=False)


def _write(client: bigquery.Client, rows, columns: list[tuple[str, str]], out: Path) -> None:
    name = f"{DATASET}.{re.sub('[^a-z0-9]+', '_', str(out))}"
    client.load_table_from_dataframe(rows, name, job_config=_config(columns), location=LOCATION).result()
    out.mkdir(parents=True)
    (out / "table").write_text(f"{sys.argv[2]} {name}")


def _config(columns: list[tuple[str, str]]) -> bigquery.LoadJobConfig:
    return bigquery.LoadJobConfig(schema=[bigquery.SchemaField(*column) for column in columns])


WORKS = {"prepare": prepare, "frame": frame, "copy": copy}


def main() -> None:
    what, url, file, out = sys.argv[1:]
    client = bigquery.Client("bench", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
    WORKS[what](client, Path(file), Path(out))
    client.close()


if __name__ == "__main__":
    main()
