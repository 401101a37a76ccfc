"""Measures Geminate against its peers: ``python benchmarks/run.py [--scale 0.1] [--only join]``, or another group.

Every command is a child process that does the whole work, start-up included. A round runs each of them once, so that
they alternate, and a ratio compares medians of the same rounds. What a command wrote is compared with Geminate's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from macro.measure import Measurement, measure
from macro.results import describe_machine, memory_growth, summarize, table, write_results
from macro.storage_works import iter_storage_works
from macro.table_works import iter_table_works
from macro.works import (
    BENCHMARKS,
    OUT,
    SUBJECT,
    Command,
    Work,
    iter_build_works,
    iter_check_works,
    iter_join_works,
    peer,
)

BUILD_DATA = ("build-0.45kB", "build-1.9kB", "build-30kB")
JOIN_DATA = ("join-1.2kB", "join-3.6kB", "join-37kB")
SLOW_RUN_S = 90.0
"""A peer that takes longer is not run again."""


def main() -> None:
    options = _parse_options()
    _compile(options.data)
    groups = {
        "build": _build_works,
        "check": _check_works,
        "join": _join_works,
        "memory": _memory_works,
        "storage": _storage_works,
        "tables": _table_works,
    }
    for group in [options.only] if options.only else groups:
        load = os.getloadavg()[0]
        entries = []
        for work in groups[group](options):
            if options.work in work.name:
                entries.append(_run_work(work, options))
                print(table(entries[-1]), end="\n\n", flush=True)
        document = {"scale": options.scale, "repeat": options.repeat, "load": round(load, 2)}
        if group == "memory":
            document["growth"] = memory_growth(entries)
            print(*document["growth"], sep="\n")
        if entries and not options.no_results:
            write_results(options.results, group, document | {"machine": describe_machine(), "works": entries})


def _compile(folder: Path) -> None:
    """All commands start from compiled modules, as installed packages do; a working copy's would be compiled anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "byte-code")
    spec = importlib.util.find_spec("geminate")
    sources = [*(spec.submodule_search_locations or ()), str(BENCHMARKS / "peers")] if spec else []
    subprocess.run([sys.executable, "-m", "compileall", "-q", *sources], check=True)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--scale", type=float, default=0.1, help="of the data; 1 is at least 1 GB of each (%(default)s)"
    )
    parser.add_argument("--only", choices=["build", "check", "join", "memory", "storage", "tables"])
    parser.add_argument("--work", default="", help="only works whose name holds this text")
    parser.add_argument("--peers", help="only these commands beside Geminate, by comma; '' for none")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--max-seconds", type=float, default=300.0, help="stop a run after so long (%(default)s)")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "geminate-bench")
    parser.add_argument("--results", type=Path, default=BENCHMARKS / "results")
    parser.add_argument("--no-results", action="store_true", help="print only")
    return parser.parse_args()


def _build_works(options: argparse.Namespace) -> Iterator[Work]:
    facts = _make_data(options.data, options.scale, BUILD_DATA)
    return iter_build_works(facts, {fact["name"]: _folder_bytes(_request_lines(fact)) for fact in facts})


def _check_works(options: argparse.Namespace) -> Iterator[Work]:
    facts = _make_data(options.data, options.scale, BUILD_DATA)
    return iter_check_works(
        {fact["name"].removeprefix("build-"): (_request_lines(fact), fact["rows"]) for fact in facts}
    )


def _join_works(options: argparse.Namespace) -> Iterator[Work]:
    return iter_join_works(_make_data(options.data, options.scale, JOIN_DATA))


def _storage_works(options: argparse.Namespace) -> Iterator[Work]:
    names = (BUILD_DATA[1], *JOIN_DATA[:2])
    return iter_storage_works(_make_data(options.data, options.scale, names), options.data)


def _table_works(options: argparse.Namespace) -> Iterator[Work]:
    return iter_table_works(_make_data(options.data, options.scale, ["tables-2kB"]), options.data)


def _memory_works(options: argparse.Namespace) -> Iterator[Work]:
    """Geminate alone, at the scale and at ten times the scale: its peak memory should not follow."""
    for scale in (options.scale, options.scale * 10):
        builds = _make_data(options.data, scale, BUILD_DATA[:1])
        joins = _make_data(options.data, scale, JOIN_DATA[1:2])
        works = [*iter_build_works(builds, dict.fromkeys(BUILD_DATA, 0)), *iter_join_works(joins)]
        for work in works:
            yield replace(work, name=f"{work.name}, scale {scale:g}", commands=work.commands[:1], first_file="")


def _make_data(folder: Path, scale: float, names: Iterable[str]) -> list[dict]:
    chosen = [argument for name in names for argument in ("--name", name)]
    argv = [sys.executable, str(BENCHMARKS / "macro" / "make_data.py"), str(folder), "--scale", str(scale), *chosen]
    return list(json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout).values())


def _request_lines(fact: dict) -> Path:
    """The folder with the request lines of a prompt set, as the careful loop writes them; made once."""
    folder = Path(fact["folder"])
    if not (folder / "requests").exists():
        made = folder / "requests.part"
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run(peer("build_orjson.py", folder / "prompts.parquet", folder / "spec.json", made), check=True)
        made.rename(folder / "requests")
    return folder / "requests"


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("requests-*.jsonl"))


def _run_work(work: Work, options: argparse.Namespace) -> dict:
    """All rounds of one work, summed up."""
    wanted = None if options.peers is None else {SUBJECT, *options.peers.split(",")}
    commands = [command for command in work.commands if wanted is None or command.name in wanted]
    runs: dict[str, list[Measurement]] = {command.name: [] for command in work.commands}
    equality: dict[str, str] = {}
    _warm(work.inputs)
    for number in range(options.repeat):
        with tempfile.TemporaryDirectory(dir=options.data) as place:
            for command in commands:
                if number and _is_enough(command, runs[command.name][-1]):
                    continue
                out = Path(place) / command.name.replace(" ", "-").replace(":", "") / work.out_name
                out.parent.mkdir()
                runs[command.name].append(_run_command(work, command, out, options.max_seconds))
                _tell(work, command, runs[command.name][-1])
                if number == 0 and _is_comparable(work, command, runs):
                    equality[command.name] = _compare(work, out, Path(place) / SUBJECT / work.out_name)
                if command.name != SUBJECT or number:
                    shutil.rmtree(out.parent)
    return summarize(work, runs, equality)


def _run_command(work: Work, command: Command, out: Path, max_s: float) -> Measurement:
    event: Callable[[], bool] | None = None
    if work.first_file:
        event = partial(_has_file, out.parent, work.first_file)
    return measure([argument.replace(OUT, str(out)) for argument in command.argv], max_s, event)


def _has_file(folder: Path, pattern: str) -> bool:
    try:
        return any(folder.rglob(pattern))
    except OSError:  # A folder was renamed under our hands.
        return False


def _is_enough(command: Command, last: Measurement) -> bool:
    """Whether a peer has failed or taken so long that it is not run again; Geminate always is."""
    return command.name != SUBJECT and (last.exit_code not in command.good_codes or last.wall_s > SLOW_RUN_S)


def _is_comparable(work: Work, command: Command, runs: dict[str, list[Measurement]]) -> bool:
    if not work.compare or command.name == SUBJECT or command.is_limit or command.share < 1:
        return False
    subject = work.commands[0]
    return runs[SUBJECT][0].exit_code in subject.good_codes and runs[command.name][0].exit_code in command.good_codes


def _compare(work: Work, out: Path, subject_out: Path) -> str:
    argv = [sys.executable, str(BENCHMARKS / "macro" / "compare.py"), work.compare, str(subject_out), str(out)]
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
    return "yes" if done.returncode == 0 else f"NO: {done.stdout.strip() or 'the comparison failed'}"


def _warm(paths: Iterable[Path]) -> None:
    """Has the inputs in the page cache, so that the first command does not pay for the disk."""
    piece = bytearray(1 << 20)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(piece):
                pass


def _tell(work: Work, command: Command, run: Measurement) -> None:
    end = "stopped" if run.exit_code is None else f"exit {run.exit_code}"
    note = "" if run.exit_code in command.good_codes else f" {end}: {run.stderr.strip()[-300:]}"
    print(f"{work.name}: {command.name}: {run.wall_s:.2f} s{note}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
