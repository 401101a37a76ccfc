"""The documentation names what is there, and nothing that is not."""

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import click
import pytest

import geminate as gm
from geminate.cli import cli
from geminate.stages.checks import RULES
from geminate.wire.content_types import CONTENT_TYPES
from geminate.wire.outcomes import ERROR_CODES, ERROR_REMEDIES, REMEDIES
from geminate.wire.tables import prediction_fields

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
    key=str,
)
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
_FILE = re.compile(r"[\w.-]+\.(csv|tsv|jsonl|json|yaml|py)")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands():
    context = click.Context(cli)
    return {name: cli.get_command(context, name) for name in cli.list_commands(context)}


def real_options(command):
    return {
        spelling
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
        for spelling in option.opts
        if spelling not in {"-h", "--help"}
    }


def sections(page):
    """The text below each heading, by the heading as links name it."""
    parts = re.split(r"^#{2,} (.*)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {head.lower().replace(" ", "-"): text for head, text in zip(parts[1::2], parts[2::2], strict=True)}


def first_cells(text):
    return re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE)


def documented_commands():
    """Each command's options: those its row names, and those of the groups it links to."""
    page = REFERENCE / "commands.md"
    groups = sections(page)
    found = {}
    for name, row in re.findall(r"^\| `geminate (\w+)(.*) \|$", page.read_text("utf-8"), re.MULTILINE):
        tables = [cell for link in re.findall(r"\(#([\w-]+)\)", row) for cell in first_cells(groups[link])]
        found[name] = set(re.findall(r"`(--?[a-z][a-z-]*)", " ".join([row, *tables])))
    return found


def test_each_command_is_documented_with_exactly_its_options():
    assert documented_commands() == {name: real_options(command) for name, command in commands().items()}


def test_every_option_is_explained():
    explained = set(
        re.findall(r"`(--?[a-z][a-z-]*)", " ".join(first_cells((REFERENCE / "commands.md").read_text("utf-8"))))
    )
    assert {option for command in commands().values() for option in real_options(command)} - explained == set()


def test_every_rule_is_documented_in_its_own_words():
    page = (REFERENCE / "rules.md").read_text("utf-8")
    assert [rule for rule, meaning in RULES.items() if f"| `{rule}` | {meaning} |" not in page] == []


def test_every_remedy_is_documented():
    page = (REFERENCE / "outcomes.md").read_text("utf-8")
    words = {True: "yes", False: "no", None: "by its error"}
    rows = []
    for outcome, remedy in REMEDIES.items():
        changes = ", ".join(f"`--{change.replace('_', '-')}`" for change in remedy.changes)
        rows.append(f"| `{outcome}` | {words[remedy.as_is]} | {changes} | {remedy.why} |")
    for name, (helps, change) in ERROR_REMEDIES.items():
        grpc, http = ERROR_CODES[name]
        rows.append(f"| {name} | {grpc} | {http} | {words[helps]} | {change} |")
    assert [row for row in rows if row not in page] == []
    assert set(ERROR_REMEDIES) == set(ERROR_CODES)


def test_the_joined_rows_have_the_documented_columns_in_this_order():
    page = (REFERENCE / "joined-rows.md").read_text("utf-8").partition("\n## ")[0]
    assert [cell.strip("`") for cell in first_cells(page)] == [
        field.name for field in prediction_fields(keep_response=True, contents=CONTENT_TYPES)
    ]


def test_every_public_name_is_documented():
    page = (REFERENCE / "python.md").read_text("utf-8")
    assert [name for name in gm.__all__ if not re.search(rf"\b{name}\b", page)] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_relative_links_lead_somewhere(page):
    text = _FENCED.sub("", page.read_text("utf-8"))
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in sections(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_python_blocks_compile_and_use_names_that_exist(page):
    for language, code in _FENCED.findall(page.read_text("utf-8")):
        if language != "python":
            continue
        compile(code, str(page), "exec")
        assert [name for name in re.findall(r"\bgm\.(\w+)", code) if not hasattr(gm, name)] == []
        for module, names in re.findall(r"^from (geminate[\w.]*) import (.+)$", code, re.MULTILINE):
            assert [name for name in names.split(", ") if not hasattr(import_module(module), name)] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_command_lines_use_commands_and_options_that_exist(page):
    for language, code in _FENCED.findall(page.read_text("utf-8")):
        if language not in {"console", "sh"}:
            continue
        for name, rest in re.findall(r"\bgeminate (\w+)((?:.*\\\n)*.*)", code.replace("$ ", "")):
            assert name in commands()
            used = set(re.findall(r"(?<=\s)(--?[a-z][a-z-]*)", re.sub(r"'[^']*'|\|.*", "", rest)))
            assert used <= real_options(commands()[name]), name


def test_the_guarantees_name_tests_that_exist():
    page = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    assert [name for name in re.findall(r"`(tests/[^`]*)`", page) if not (ROOT / name).exists()] == []


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert set(re.findall(r"([\w/-]+\.md)$", nav, re.MULTILINE)) == pages


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_files_that_commands_read_are_named_before_them(page):
    text = page.read_text("utf-8")
    made, unnamed = set(), []
    for block in re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for command in re.findall(r"^\$ (.*(?:\\\n.*)*)", block[1], re.MULTILINE):
            words = command.replace("\\\n", " ").split()
            for before, word in pairwise(["", *words]):
                if before in {"-o", "--out", "--fix", ">"}:
                    made.add(word)
                elif _FILE.fullmatch(word) and word not in made and word not in text[: block.start()]:
                    unnamed.append(word)
    assert unnamed == []
