"""Prompts out of a BigQuery table and their requests into another, on a server of this machine: the emulator's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from macro.served import serve
from macro.works import GEMINATE, OUT, SUBJECT, Command, Work, peer

LOCATION = "us-central1"
DATASET = "bench.words"


def iter_table_works(facts: Iterable[dict], data: Path) -> Iterator[Work]:
    """The works; their server runs until the last of them is done."""
    folder = data / "table-server"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    with serve(folder) as url:
        for fact in facts:
            prompts, spec = (Path(fact["folder"]) / name for name in ("prompts.parquet", "spec.json"))
            prepared = subprocess.run(
                peer("tables.py", "prepare", url, prompts, ""), check=True, stdout=subprocess.PIPE
            )
            where = ("--endpoint", url, "--project", "bench", "--location", LOCATION)
            out = ("--spec", str(spec), "--key", "key", "--out", f"bq://{DATASET}", "--run", OUT)
            yield Work(
                "prompts out of a table, requests into another",
                fact["rows"],
                int(prepared.stdout),
                (
                    Command(SUBJECT, (GEMINATE, "build", f"bq://{DATASET}.prompts", *out, *where)),
                    Command("frames and orjson", peer("tables.py", "frame", url, spec, OUT)),
                    Command(
                        "limit: to_dataframe and load_table_from_dataframe",
                        peer("tables.py", "copy", url, spec, OUT),
                        is_limit=True,
                    ),
                ),
                "tables",
                inputs=(spec,),
            )
