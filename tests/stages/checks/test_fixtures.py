from pathlib import Path

import pytest

from geminate.stages.checks import RULES, CheckOptions, iter_violations
from geminate.wire.lines import iter_line_blocks

FOLDER = Path(__file__).parents[3] / "fixtures" / "requests"
VALID = sorted((FOLDER / "valid").iterdir())
INVALID = sorted((FOLDER / "invalid").iterdir())
ADVICE = {rule for rule, sentence in RULES.items() if sentence.startswith("Advice")}
TOO_LARGE_FOR_A_FIXTURE = {
    "limit.columns",
    "limit.document",
    "limit.file_bytes",
    "limit.images",
    "limit.inline_image",
    "limit.line_bytes",
    "limit.rows",
}
FOUND_WHILE_BUILDING = {
    "limit.stored_image",
    "limit.text_file",
    "schema.media_file",
    "schema.media_image",
    "schema.media_type",
    "schema.null_slot",
    "schema.template",
}


def check(path: Path, piece_bytes: int, *, advice: bool = False) -> list:
    data = path.read_bytes()
    pieces = (data[start : start + piece_bytes] for start in range(0, len(data), piece_bytes))
    return list(iter_violations(iter_line_blocks(pieces), file=path.name, options=CheckOptions(advice=advice)))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_is_clean(path):
    assert check(path, 1 << 20) == []


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_file_breaks_the_rule_of_its_name_and_no_other(path):
    rule = path.name.partition("--")[0]
    violations = check(path, 1 << 20, advice=rule in ADVICE)
    assert {violation.rule for violation in violations} == {rule}
    for violation in violations:
        assert violation.file == path.name
        assert violation.line >= 1
        assert not violation.message.endswith(".")


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_where_the_bytes_are_cut_changes_nothing(path):
    rule = path.name.partition("--")[0]
    assert check(path, 7, advice=rule in ADVICE) == check(path, 1 << 20, advice=rule in ADVICE)


@pytest.mark.parametrize("path", [path for path in INVALID if path.name.partition("--")[0] in ADVICE], ids=str)
def test_advice_is_given_on_request_only(path):
    assert check(path, 1 << 20) == []


def test_every_rule_has_a_case():
    covered = {path.name.partition("--")[0] for path in INVALID}
    elsewhere = TOO_LARGE_FOR_A_FIXTURE | FOUND_WHILE_BUILDING
    assert covered | elsewhere == set(RULES)
    assert not covered & elsewhere
