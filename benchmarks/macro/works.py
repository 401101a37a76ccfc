"""The works and who does them: each of them the whole work of one Geminate command, and goals for the ratios."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
GEMINATE = str(Path(sys.executable).with_name("geminate"))
OUT = "{out}"
"""Stands for the place of a command's output, a name that is free in every run."""

SLOW_ROWS = 50_000
"""What a peer does that would take many minutes; its time is then scaled up to the whole."""

MAX_SHARD_ROWS = 200_000
SUBJECT = "geminate"


@dataclass(frozen=True, slots=True)
class Command:
    """One way to do the work.

    Attributes:
        name: As in the tables.
        argv: What to start, with ``OUT`` where its output goes.
        goal: The least ratio of its time to Geminate's that we want.
        share: The share of the work's rows it does; times are divided by it.
        is_limit: It does less than the work, to show what any way must cost at least.
        good_codes: The exit codes of a good run.
    """

    name: str
    argv: tuple[str, ...]
    goal: float | None = None
    share: float = 1.0
    is_limit: bool = False
    good_codes: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, Geminate's command first.

    Attributes:
        name: As in the tables.
        rows: Prompts, or lines.
        read_bytes: What every command has to read.
        commands: Who does it.
        compare: How outputs are compared: ``rows``, ``requests``, or not at all.
        first_file: A pattern of the file whose beginning says that the first shard is whole; empty for one shard.
        inputs: The files to have in the page cache.
    """

    name: str
    rows: int
    read_bytes: int
    commands: tuple[Command, ...]
    compare: str = ""
    first_file: str = ""
    inputs: tuple[Path, ...] = field(default=())

    @property
    def out_name(self) -> str:
        """What its commands' output is called."""
        return "rows.parquet" if self.compare == "rows" else "run"


def peer(script: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, str(BENCHMARKS / "peers" / script), *map(str, arguments))


def iter_join_works(facts: Iterable[dict]) -> Iterator[Work]:
    for fact in facts:
        folder, size = Path(fact["folder"]), fact["name"].removeprefix("join-")
        prompts, predictions = folder / "prompts.parquet", folder / "predictions.jsonl"
        read_bytes = predictions.stat().st_size
        large, small = size == "37kB", size == "1.2kB"
        with_inputs = ("join", "--inputs", str(prompts), "--predictions", str(predictions), "--key", "key", "-o", OUT)
        alone = ("join", "--predictions", str(predictions), "-o", OUT)
        limits = (
            Command("limit: simdjson parse", peer("limit_simdjson.py", predictions), is_limit=True),
            Command("limit: read the file", peer("limit_read.py", predictions), is_limit=True),
        )
        yield Work(
            f"join to prompts, {size} lines",
            fact["rows"],
            read_bytes,
            (
                Command(SUBJECT, (GEMINATE, *with_inputs), good_codes=(0, 3)),
                Command("duckdb", peer("join_duckdb.py", prompts, predictions, OUT), 1.3 if large else 1.0),
                Command("duckdb ordered", peer("join_duckdb.py", "--ordered", prompts, predictions, OUT)),
                Command("polars scan_lines", peer("join_polars.py", prompts, predictions, OUT), 2.0),
                Command("polars scan_ndjson", peer("join_polars.py", "--ndjson", prompts, predictions, OUT), 2.0),
                Command("orjson", peer("join_orjson.py", prompts, predictions, OUT), 2.0),
                Command("json", peer("join_json.py", prompts, predictions, OUT), 3.0),
                Command("pandas", peer("join_pandas.py", prompts, predictions, OUT), 5.0),
                *limits,
            ),
            "rows",
            inputs=(prompts, predictions),
        )
        yield Work(
            f"predictions alone, {size} lines",
            fact["rows"],
            read_bytes,
            (
                Command(SUBJECT, (GEMINATE, *alone), good_codes=(0, 3)),
                Command("duckdb", peer("join_duckdb.py", predictions, OUT), None if small else 3.0 if large else 1.5),
                Command("duckdb ordered", peer("join_duckdb.py", "--ordered", predictions, OUT)),
                Command("orjson", peer("join_orjson.py", predictions, OUT)),
            ),
            "rows",
            inputs=(predictions,),
        )


_ORJSON_GOALS = {"0.45kB": 3.0, "1.9kB": 2.0, "30kB": 1.2}


def iter_build_works(facts: Iterable[dict], written_bytes: dict[str, int]) -> Iterator[Work]:
    """``written_bytes`` is the size of each prompt set's request lines, which the limit writes as well."""
    for fact in facts:
        folder, size, rows = Path(fact["folder"]), fact["name"].removeprefix("build-"), fact["rows"]
        prompts, spec, logic = (str(folder / name) for name in ("prompts.parquet", "spec.json", "logic.json"))
        common = {
            "rows": rows,
            "read_bytes": Path(prompts).stat().st_size,
            "compare": "requests",
            "inputs": (Path(prompts),),
            "first_file": "*requests-00001*" if rows > MAX_SHARD_ROWS else "",
        }
        limit = peer("limit_build.py", prompts, written_bytes[fact["name"]], OUT)
        yield Work(
            f"build, {size} prompts",
            commands=(
                Command(SUBJECT, (GEMINATE, "build", prompts, "--spec", spec, "--out", OUT)),
                Command("orjson + jsonschema_rs", peer("build_orjson.py", prompts, spec, OUT), _ORJSON_GOALS[size]),
                *_slow_commands(size, rows, prompts, spec),
                Command("limit: read and write as much", limit, 1 / 1.3, is_limit=True),
            ),
            **common,
        )
        if size == "0.45kB":
            yield Work(
                f"build with logic in the spec, {size} prompts",
                commands=(
                    Command(SUBJECT, (GEMINATE, "build", prompts, "--spec", logic, "--out", OUT)),
                    Command("jinja2 + orjson + jsonschema_rs", peer("build_jinja2.py", prompts, logic, OUT), 1.5),
                ),
                **common,
            )


def _slow_commands(size: str, rows: int, prompts: str, spec: str) -> Iterator[Command]:
    if size == "0.45kB":
        done = min(SLOW_ROWS, rows)
        yield Command(
            "json + jsonschema", peer("build_json.py", prompts, spec, OUT, "--rows", done), 40.0, share=done / rows
        )


def iter_check_works(folders: dict[str, tuple[Path, int]]) -> Iterator[Work]:
    """``folders``: by size of prompt, where request lines lie and how many."""
    for size, (folder, rows) in folders.items():
        files = sorted(folder.glob("requests-*.jsonl"))
        yield Work(
            f"check, request lines of {size} prompts",
            rows,
            sum(path.stat().st_size for path in files),
            (
                Command(SUBJECT, (GEMINATE, "check", *map(str, files))),
                Command("orjson + jsonschema_rs", peer("check_orjson.py", folder)),
                Command("limit: read the files", peer("limit_read.py", *files), is_limit=True),
            ),
            inputs=tuple(files),
        )
