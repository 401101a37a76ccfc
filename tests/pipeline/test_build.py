"""Builds through the public function: what stands in the folder, whatever the prompts were cut into."""

import json
import subprocess
import sys
import time

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.errors import PromptError, TargetError, TransientError
from geminate.formats.prompts import PromptOptions, open_prompts
from geminate.pipeline.build import BuildOptions, build_run
from geminate.pipeline.run_folder import shard_files
from geminate.pipeline.run_folder.folder import REJECT_COLUMN, RunFolder
from geminate.pipeline.verify import iter_damages
from geminate.stages.specs import Spec
from geminate.wire.schemas import load_schema

SPEC = Spec.from_prompt("gemini-3.5-flash", "Say {{ word }}")
WORDS = pa.table({"key": [f"w{n}" for n in range(10)], "word": ["one", None, *(f"word {n}" for n in range(8))]})


def build(path, table=WORDS, *, rows=65_536, **options):
    prompts = open_prompts(table, options=PromptOptions(max_record_batch_rows=rows))
    return build_run(prompts, SPEC, path, BuildOptions(**options))


def lines(path, manifest):
    texts = [RunFolder(path).requests_path(shard.name).read_text() for shard in manifest.shards]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def kept_prompts(path, manifest):
    tables = []
    for shard in manifest.shards:
        with pa.ipc.open_stream(RunFolder(path).prompts_path(shard.name)) as reader:
            tables.append(reader.read_all())
    return pa.concat_tables(tables)


def test_each_prompt_is_in_one_shard_with_its_line_or_its_reason(tmp_path):
    manifest = build(tmp_path / "run", max_rows=4)
    kept = kept_prompts(tmp_path / "run", manifest)
    assert kept.select(["key", "word"]).equals(WORDS)
    reasons = kept[REJECT_COLUMN].to_pylist()
    assert [reason is None for reason in reasons] == [True, False] + [True] * 8
    assert [line["key"] for line in lines(tmp_path / "run", manifest)] == [f"w{n}" for n in range(10) if n != 1]
    assert [shard.rows for shard in manifest.shards] == [4, 4, 1]
    assert (manifest.prompts.count, manifest.prompts.rejected) == (10, 1)
    (violation,) = map(json.loads, (tmp_path / "run/violations.jsonl").read_text().splitlines())
    assert (violation["key"], violation["line"]) == ("w1", 2)


def test_the_manifest_keeps_to_its_schema_and_vouches_for_the_folder(tmp_path):
    build(tmp_path / "run", max_rows=4)
    jsonschema.validate(json.loads((tmp_path / "run/manifest.json").read_text()), load_schema("manifest"))
    assert list(iter_damages(RunFolder(tmp_path / "run"))) == []


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 12), max_rows=st.integers(1, 12), max_bytes=st.integers(50, 2_000))
def test_shards_do_not_depend_on_the_record_batches(tmp_path_factory, rows, max_rows, max_bytes):
    folder = tmp_path_factory.mktemp("builds")
    whole = build(folder / "whole", max_rows=max_rows, max_shard_bytes=max_bytes)
    cut = build(folder / "cut", rows=rows, max_rows=max_rows, max_shard_bytes=max_bytes)
    assert cut.shards == whole.shards


def test_generated_keys_number_the_prompts_in_input_order(tmp_path):
    manifest = build(tmp_path / "run", WORDS.drop_columns(["key"]), rows=3)
    assert (manifest.key, manifest.key_generated) == ("key", True)
    assert [line["key"] for line in lines(tmp_path / "run", manifest)][:2] == ["r-000000001", "r-000000003"]
    assert kept_prompts(tmp_path / "run", manifest).column_names == ["key", "word", REJECT_COLUMN]


def test_number_keys_keep_their_type_and_travel_as_prefixed_text(tmp_path):
    table = pa.table({"id": pa.array([7, 8], pa.int16()), "word": ["x", "y"]})
    manifest = build(tmp_path / "run", table, key="id")
    assert kept_prompts(tmp_path / "run", manifest).schema.field("id").type == pa.int16()
    assert [line["key"] for line in lines(tmp_path / "run", manifest)] == ["k:7", "k:8"]


@pytest.mark.parametrize("rows", [1, 100])
def test_a_key_that_stands_twice_is_found_across_record_batches_and_shards(tmp_path, rows):
    table = pa.table({"key": ["a", "b", "c", "d", "b"], "word": ["x"] * 5})
    with pytest.raises(PromptError, match=r"row 5: the key 'b' stands here and at .*row 2"):
        build(tmp_path / "run", table, rows=rows, max_rows=2)
    assert list(tmp_path.iterdir()) == []


def test_a_rule_broken_by_one_prompt_can_stop_the_build(tmp_path):
    with pytest.raises(PromptError, match="row 2"):
        build(tmp_path / "run", on_reject="fail")
    assert list(tmp_path.iterdir()) == []


def test_no_prompts_are_no_run(tmp_path):
    with pytest.raises(PromptError, match="no prompts"):
        build(tmp_path / "run", WORDS.slice(0, 0))
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_never_overwritten(tmp_path):
    build(tmp_path / "run")
    before = (tmp_path / "run/manifest.json").read_bytes()
    with pytest.raises(TargetError, match="exists"):
        build(tmp_path / "run")
    assert (tmp_path / "run/manifest.json").read_bytes() == before


def test_what_a_killed_build_left_is_swept_away(tmp_path):
    partial = tmp_path / ".run.partial"
    partial.mkdir()
    (partial / "requests-00007.jsonl").write_text("half")
    build(tmp_path / "run")
    assert not partial.exists()
    assert not (tmp_path / "run/requests-00007.jsonl").exists()


def test_two_builds_of_one_run_do_not_meet(tmp_path):
    (tmp_path / ".run.partial").mkdir()
    code = "import sys; from pathlib import Path; from geminate.locks import hold_lock; "
    code += "lock = hold_lock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / ".run.partial")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TransientError, match="another process"):
            build(tmp_path / "run")
        holder.kill()
    build(tmp_path / "run")


def test_cells_that_bring_json_are_checked_line_by_line(tmp_path):
    spec = Spec("gemini-3.5-flash", "{{ request | json }}")
    good = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    bad = {"contents": [{"role": "robot", "parts": [{"text": "hi"}]}]}
    table = pa.table({"request": [json.dumps(good), json.dumps(bad)]})
    manifest = build_run(open_prompts(table), spec, tmp_path / "run")
    assert [line["request"] for line in lines(tmp_path / "run", manifest)] == [good]
    assert "role" in kept_prompts(tmp_path / "run", manifest)[REJECT_COLUMN].to_pylist()[1]


def test_lines_that_are_sound_only_together_are_not_parted(tmp_path):
    spec = Spec("gemini-3.5-flash", "{{ asked | json }}")
    requests = [
        {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": args}}]}]}
        for args in ({"x": 1}, {})
    ]
    table = pa.table({"asked": [json.dumps(request) for request in requests]})
    assert len(build_run(open_prompts(table), spec, tmp_path / "together").shards) == 1
    for how in ({}, {"keep_lines": False}, {"keep_lines": False, "dedupe": True}):
        with pytest.raises(PromptError, match=r"requests-00001\.jsonl:1"):
            build_run(open_prompts(table), spec, tmp_path / "parted", BuildOptions(max_rows=1, **how))
        assert not (tmp_path / "parted").exists()
    tables = BuildOptions(max_rows=1, for_table=True)
    assert len(build_run(open_prompts(table), spec, tmp_path / "tables", tables).shards) == 2


HOSTILE = [
    "".join(map(chr, range(32))) + "\x7f\x85",
    "a\u2028b\u2029c",
    "\u202eback\u2066wards\u2069",
    "\N{GRINNING FACE}\N{FAMILY}",
    "{{ word }} {% if x %} {# no #}",
    "</script><!--",
    '\\u0041 \\n "q" \\',
    "\N{ZERO WIDTH NO-BREAK SPACE}first",
    'x"\n' * 3_500_000,
]


def test_hostile_prompts_come_out_byte_true(tmp_path):
    rows = [{"key": f"w{n}", "word": word} for n, word in enumerate(HOSTILE)]
    (tmp_path / "p.jsonl").write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    for name, prompts in (("file", tmp_path / "p.jsonl"), ("memory", rows)):
        manifest = build_run(open_prompts(prompts), SPEC, tmp_path / name)
        data = RunFolder(tmp_path / name).requests_path(manifest.shards[0].name).read_bytes()
        requests = [json.loads(line)["request"] for line in data.split(b"\n")[:-1]]
        assert [request["contents"][0]["parts"][0]["text"] for request in requests] == [f"Say {w}" for w in HOSTILE]
        assert list(iter_damages(RunFolder(tmp_path / name))) == []


def test_half_a_surrogate_pair_in_a_cell_of_json_rejects_its_row(tmp_path):
    spec = Spec("gemini-3.5-flash", {"contents": "{{ turns | json }}"})
    turns = [f'[{{"role":"user","parts":[{{"text":"{text}"}}]}}]' for text in ("fine", "\\ud83d alone")]
    build_run(open_prompts(pa.table({"key": ["a", "b"], "turns": turns})), spec, tmp_path / "run")
    (violation,) = map(json.loads, (tmp_path / "run/violations.jsonl").read_text().splitlines())
    assert (violation["key"], violation["rule"]) == ("b", "json.syntax")


@pytest.mark.parametrize("kind", ["lines", "an array", "objects"])
def test_half_a_surrogate_pair_in_a_text_rejects_its_row_and_no_other(tmp_path, kind):
    rows = [{"key": "a", "word": "fine"}, {"key": "b", "word": "\ud83d alone"}, {"key": "c", "word": "\U0001f600"}]
    path = tmp_path / ("prompts.jsonl" if kind == "lines" else "prompts.json")
    path.write_text("\n".join(map(json.dumps, rows)) if kind == "lines" else json.dumps(rows))
    manifest = build_run(open_prompts(rows if kind == "objects" else path), SPEC, tmp_path / "run")
    assert sum(shard.rows for shard in manifest.shards) == 2
    (violation,) = map(json.loads, (tmp_path / "run/violations.jsonl").read_text().splitlines())
    assert (violation["key"], violation["rule"]) == ("b", "json.encoding")


@pytest.mark.parametrize(
    "row", ['{"key": "\\ud83d", "word": "x"}', '{"key": "b", "\\ud83d": 1}', '{"key": "b", "word": ["\\ud83d"]}']
)
def test_half_a_surrogate_pair_where_it_cannot_be_left_out_names_its_line(tmp_path, row):
    (tmp_path / "prompts.jsonl").write_text('{"key": "a", "word": "fine"}\n' + row + "\n")
    with pytest.raises(PromptError) as caught:
        build_run(open_prompts(tmp_path / "prompts.jsonl"), SPEC, tmp_path / "run")
    assert "prompts.jsonl" in caught.value.where
    assert caught.value.where.endswith("2")


def test_prompts_lie_in_the_run_so_that_every_reader_takes_them(tmp_path):
    note = pa.array([b"fine", b"caf\xe9"], pa.binary()).view(pa.string())
    build_run(open_prompts(pa.table({"key": ["a", "b"], "word": ["x", "y"], "note": note})), SPEC, tmp_path / "run")
    prompts = pa.ipc.open_stream(tmp_path / "run/prompts-00000.arrow").read_all()
    prompts.validate(full=True)
    assert prompts.column("note").to_pylist() == ["fine", "caf\ufffd"]
    assert not (tmp_path / "run/violations.jsonl").read_text()


def test_an_error_is_told_although_the_disk_is_still_at_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_files, "_SYNC_BYTES", 1)
    monkeypatch.setattr(shard_files.os, "fsync", lambda _number: time.sleep(0.02))
    table = pa.table({"key": [*(f"w{n}" for n in range(20)), None], "word": ["one"] * 21})
    with pytest.raises(PromptError, match="no key in column 'key'"):
        build(tmp_path / "run", table, rows=1)
    assert list(tmp_path.iterdir()) == []
