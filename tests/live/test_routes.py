"""Twenty prompts by each route between buckets and tables, and what the service makes of the assumptions we rest on."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

import geminate as gm
from geminate.connect import open_store
from geminate.pipeline.budget import Budget
from geminate.pipeline.build import BuildOptions
from geminate.pipeline.submit import SubmitOptions

# For each route; the whole suite makes four jobs of twenty short prompts.
MAX_COST_USD = 0.05
TEXT = "Answer with the word {{ word }} and nothing else."
REQUEST = {
    "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
    "generationConfig": {"temperature": 0, "maxOutputTokens": 64},
}
# Keys that a loader might take for something else travel with a prefix; the others go as they are.
PROMPTS = [
    {"key": key, "word": f"word{number}"}
    for number, key in enumerate(
        [*(f"k-{n:03d}" for n in range(14)), "000000", "7", "1e5", "true", "2026-11-22", "null"]
    )
]


@pytest.mark.parametrize("source", ["gs", "bq"])
@pytest.mark.parametrize("target", ["gs", "bq"])
def test_a_route(place, observe, tmp_path, source, target):
    places = {"gs": f"{place.bucket_uri}/{source}-{target}", "bq": place.dataset_uri}
    route = f"{source} to {target}"
    spec = gm.Spec(model=place.model, request=REQUEST)
    run = gm.Run.create(tmp_path / "run", PROMPTS, spec, BuildOptions(for_table=source == "bq"))
    budget = SubmitOptions(budget=Budget(MAX_COST_USD, max_jobs=1))
    (job,) = run.finish(gm.Target(place.where, places[source], places[target]), options=budget)
    assert job.succeeded, job
    joined = run.collect(tmp_path / "rows.parquet")
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["key"] for row in rows] == [prompt["key"] for prompt in PROMPTS]
    assert set(joined.outcomes) <= {"ok", "failed", "blocked", "empty"}, joined
    observe("every prompt has its prediction", not joined.orphans, f"{route}: {joined.orphans} orphans")
    observe("no key comes twice", not joined.duplicates, f"{route}: {joined.duplicates} duplicates")
    observe("completion counts add up", job.successful == joined.used, f"{route}: {job.successful} of {joined.used}")
    words = {row["key"]: row["word"] for row in rows}
    found = Counter(words[row["key"]] in (row["gemini_text"] or "") for row in rows)
    observe("answers are those to their prompts", found[True] >= 18, f"{route}: {found[True]} of 20")
    observe("every row tells its time", all(row["gemini_processed_time"] for row in rows), route)
    output = run.status(refresh=False).attempts[0].attempt.output_prefix_uri
    if target == "bq":
        _observe_table(place, observe, output, source)
    else:
        _observe_lines(place, observe, output)


def _observe_lines(place, observe, prefix_uri):
    store = open_store(place.where)
    files = [info for info in store.list(f"{prefix_uri}/") if info.uri.endswith(".jsonl")]
    observe("the output is one file", len(files) == 1, ", ".join(info.uri for info in files))
    data = b"".join(piece for info in files for piece in store.read(info))
    lines = [json.loads(line) for line in data.split(b"\n") if line]
    keys = [line.get("key") for line in lines]
    observe("siblings come back on good rows", None not in keys, f"{keys.count(None)} lacking")
    observe("keys stay text", all(isinstance(key, str) for key in keys), str({type(key).__name__ for key in keys}))
    observe("the echoed request is there", all("request" in line for line in lines))
    observe("the order of rows is not kept", keys != sorted(keys), "by key")
    members = sorted({name for line in lines for name in line})
    observe(
        "a line has the known members",
        set(members) >= {"request", "response", "status", "processed_time"},
        str(members),
    )
    observe("a good row's status is empty", all(line["status"] == "" for line in lines if line.get("response")))


def _observe_table(place, observe, uri, source):
    table = place.tables.get_table(uri.removeprefix("bq://"))
    kinds = {field.name: field.field_type for field in table.schema}
    observe("the output table has a response", kinds.get("response") in {"JSON", "STRING"}, str(kinds.get("response")))
    observe("the output table has a status", kinds.get("status") == "STRING", str(kinds.get("status")))
    observe("the output table has a processed_time", "processed_time" in kinds, str(kinds.get("processed_time")))
    if source == "bq":
        observe("all input columns are copied", {"key", "word", "request"} <= kinds.keys(), str(sorted(kinds)))
