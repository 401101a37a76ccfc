"""What came out: statistics of repeated runs, as JSON and as Markdown tables."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from macro.measure import Measurement
from macro.works import SUBJECT, Command, Work

PACKAGES = (
    "geminate",
    "duckdb",
    "jinja2",
    "jsonschema",
    "jsonschema-rs",
    "minijinja",
    "msgspec",
    "numpy",
    "orjson",
    "pandas",
    "polars",
    "pyarrow",
    "pysimdjson",
)


def describe_machine() -> dict:
    """What a reader needs to judge the figures; nothing that names the machine."""
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def summarize(work: Work, runs: dict[str, list[Measurement]], equality: dict[str, str]) -> dict:
    """One work's entry in the results."""
    subject = runs[SUBJECT]
    return {
        "work": work.name,
        "rows": work.rows,
        "read_bytes": work.read_bytes,
        "commands": [
            _summarize_command(work, command, runs[command.name], subject, equality.get(command.name, ""))
            for command in work.commands
            if runs[command.name]
        ],
    }


def memory_growth(entries: list[dict]) -> list[str]:
    """For works at two scales, how their peak memory compares; a sentence each."""
    peaks: dict[str, list[tuple[str, int]]] = {}
    for entry in entries:
        name, _, scale = entry["work"].rpartition(", scale ")
        if peak := entry["commands"][0].get("peak_rss_bytes"):
            peaks.setdefault(name, []).append((scale, peak))
    return [
        f"{name}: peak at scale {large} is {high / low:.2f} times that at scale {small} ({high / 1e6:,.0f} MB)"
        for name, ((small, low), (large, high)) in ((name, found) for name, found in peaks.items() if len(found) == 2)
    ]


def write_results(folder: Path, name: str, document: dict) -> None:
    """Writes ``<date>-<name>.json`` and ``.md``; an earlier pair of the same day is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{date.today().isoformat()}-{name}"  # noqa: DTZ011 -- the day where it was measured.
    (folder / f"{stem}.json").write_text(json.dumps({"date": stem[:10], **document}, indent=1) + "\n")
    (folder / f"{stem}.md").write_text(_markdown(stem, document))


def table(entry: dict) -> str:
    """One work as a Markdown table."""
    lines = [
        f"### {entry['work']}",
        "",
        f"{entry['rows']:,} rows, {entry['read_bytes'] / 1e6:,.0f} MB to read",
        "",
        "| command | median s | CPU s | peak RSS MB | MB/s | x wall (min to max) | x CPU | goal | same output |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    return "\n".join([*lines, *(_table_row(command) for command in entry["commands"])])


def _summarize_command(
    work: Work, command: Command, runs: list[Measurement], subject: list[Measurement], equality: str
) -> dict:
    entry = {"name": command.name, "is_limit": command.is_limit, "share": command.share, "goal": command.goal}
    good = [run for run in runs if run.exit_code in command.good_codes]
    bad = [run for run in runs if run.exit_code not in command.good_codes]
    if bad:
        end = "stopped" if bad[0].exit_code is None else f"exit {bad[0].exit_code}"
        entry |= {"failed_runs": len(bad), "failure": f"{end} after {bad[0].wall_s:.1f} s"}
    if not good:
        return entry
    wall_s = median(run.wall_s for run in good) / command.share
    entry |= {
        "wall_s": round(wall_s, 3),
        "cpu_s": round(median(run.cpu_s for run in good) / command.share, 3),
        "peak_rss_bytes": max(run.peak_rss_bytes for run in good),
        "read_bytes_per_s": round(work.read_bytes / wall_s),
        "first_shard_s": _median_event(good),
        "equality": equality,
        "runs": [{k: v for k, v in asdict(run).items() if k in {"wall_s", "cpu_s", "peak_rss_bytes"}} for run in good],
    }
    return entry | _ratios(command, runs, work.commands[0], subject)


def _ratios(command: Command, runs: list[Measurement], subject: Command, subject_runs: list[Measurement]) -> dict:
    """The command's time over Geminate's, by medians and by round; nothing where no round has both."""
    rounds = [
        (ours.wall_s / command.share, ours.cpu_s / command.share, theirs.wall_s, theirs.cpu_s)
        for ours, theirs in zip(runs, subject_runs, strict=False)
        if ours.exit_code in command.good_codes and theirs.exit_code in subject.good_codes
    ]
    if not rounds:
        return {}
    wall, cpu, subject_wall, subject_cpu = (median(times) for times in zip(*rounds, strict=True))
    single = [round(ours / theirs, 3) for ours, _, theirs, _ in rounds]
    return {
        "ratio": round(wall / subject_wall, 3),
        "ratio_range": [min(single), max(single)],
        "cpu_ratio": round(cpu / subject_cpu, 3),
    }


def _median_event(runs: Iterable[Measurement]) -> float | None:
    times = [run.event_s for run in runs if run.event_s is not None]
    return round(median(times), 2) if times else None


def _table_row(command: dict) -> str:
    if "wall_s" not in command:
        return f"| {command['name']} | {command['failure']} | | | | | | | |"
    first = f" (first shard {command['first_shard_s']} s)" if command["first_shard_s"] else ""
    about = f" (scaled up from {command['share']:.1%})" if command["share"] < 1 else ""
    failed = f" ({command['failed_runs']} failed: {command['failure']})" if "failed_runs" in command else ""
    cells = [
        command["name"] + about + failed,
        f"{command['wall_s']:.2f}{first}",
        f"{command['cpu_s']:.2f}",
        f"{command['peak_rss_bytes'] / 1e6:,.0f}",
        f"{command['read_bytes_per_s'] / 1e6:,.0f}",
        _ratio_cell(command),
        "" if command["name"] == SUBJECT or "ratio" not in command else f"{command['cpu_ratio']:.2f}",
        _goal_cell(command),
        command["equality"],
    ]
    return "| " + " | ".join(cells) + " |"


def _ratio_cell(command: dict) -> str:
    if command["name"] == SUBJECT or "ratio" not in command:
        return ""
    low, high = command["ratio_range"]
    once = f" ({low:.2f} to {high:.2f})" if len(command["runs"]) > 1 else " (once)"
    return f"{command['ratio']:.2f}{once}"


def _goal_cell(command: dict) -> str:
    if command["goal"] is None or "ratio" not in command:
        return ""
    return f"{command['goal']:.2f} {'met' if command['ratio'] >= command['goal'] else 'not met'}"


def _markdown(stem: str, document: dict) -> str:
    machine = document["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    head = [
        f"# {stem}",
        "",
        f"Scale {document['scale']:g}, {document['repeat']} rounds. Load before: {document['load']:.1f}.",
        f"{machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}.",
        f"{versions}.",
        "",
    ]
    growth = [f"- {sentence}" for sentence in document.get("growth", ())]
    return "\n".join([*head, "\n\n".join(map(table, document["works"])), *([""] if growth else []), *growth, ""])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
