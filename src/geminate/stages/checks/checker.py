"""Checks request lines of any origin and size, block by block."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.checks.columns import Place
from geminate.stages.checks.decoding import decode_line
from geminate.stages.checks.duplicates import KeyIndex
from geminate.stages.checks.fields import request_node
from geminate.stages.checks.lattice import Lattice
from geminate.stages.checks.meanings import structure_check
from geminate.stages.checks.shapes import ShapeMemory
from geminate.stages.checks.structure import Findings
from geminate.wire.keys import encode_keys
from geminate.wire.limits import LIMITS
from geminate.wire.lines import LineBlock
from geminate.wire.violations import Violation, brief

KEY_NAMES: Final = ("key", "custom_id")
"""The members of a request line that hold its key, the first one first."""

RESERVED_SIBLINGS: Final = frozenset({"status", "processed_time", "response"})
"""The members of a prediction line that the service writes itself, beside the request's echo."""


# How many lines are looked at together.
_FIRST_STEP: Final = 16
_MAX_STEP: Final = 1024


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to look for.

    Attributes:
        import_rules: Whether the lines go to Cloud Storage. The importer's rules and the limits of a file do not hold
            for a BigQuery table that keeps requests as JSON.
        advice: Whether to report what harms no job too, such as deprecated fields.
        key: The member that holds a line's key; by default ``key``, else ``custom_id``.
        file_limits: Whether each file is one job's input, so that its lines and bytes are counted.
        rejects: Whether lines that break a rule will be left out. If so, every line is judged against those that break
            none, and the importer's rules are reported for every line that breaks them, not once for a path.
    """

    import_rules: bool = True
    advice: bool = False
    key: str | None = None
    file_limits: bool = True
    rejects: bool = False


class RequestChecker:
    """Checks the request lines of one set, which may span several files.

    Good lines that look like earlier ones are recognised without being decoded. Memory does not grow with the set,
    but for 16 bytes a key.

    Args:
        options: What to look for.
    """

    def __init__(self, options: CheckOptions | None = None) -> None:
        self._options = options or CheckOptions()
        self._key_names = (self._options.key,) if self._options.key else KEY_NAMES
        self._shapes = ShapeMemory(self._key_names)
        self._lattice = Lattice()
        self._keys = KeyIndex()
        self._files: list[tuple[int, str]] = []
        self._line_count = 0
        self._step = _FIRST_STEP
        self._file_bytes = 0

    @property
    def line_count(self) -> int:
        """How many lines were fed, blank ones included."""
        return self._line_count

    def feed(self, block: LineBlock, file: str) -> list[Violation]:
        """What is wrong with these lines, in their order, given all lines before them.

        Args:
            block: The next lines. The blocks of a file come in order, and no two files are mixed.
            file: The file or URI they are of.
        """
        if not self._files or self._files[-1][1] != file:
            self._files.append((self._line_count, file))
            self._file_bytes = 0
        found: list[Violation] = []
        keys: list[bytes] = []
        ordinals: list[int] = []
        for position, known in enumerate(self._iter_recognised(block)):
            key = known
            if key is None and position not in block.overlong:
                key = self._shapes.recognise(block.line(position))
            if key is None:
                key, broken = self._check_line(block, position, file)
                found += broken
            if key:
                keys.append(key)
                ordinals.append(self._line_count + position)
        found += self._check_keys(keys, ordinals)
        if self._options.file_limits:
            found += self._check_size(block, file)
        self._line_count += len(block)
        found.sort(key=lambda violation: violation.line)
        return found

    def finish(self) -> list[Violation]:
        """What is wrong with the set as a whole, after its last line, in the order of the lines it shows on."""
        if not self._options.import_rules:
            return []
        order = {file: index for index, (_, file) in enumerate(self._files)}
        return sorted(self._lattice.finish(), key=lambda violation: (order[violation.file], violation.line))

    def _iter_recognised(self, block: LineBlock) -> Iterator[bytes | None]:
        """Of each line its key, empty where it has none, if it is known to be good at a glance; else None."""
        first = start = 0
        while first < len(block):
            last = min(first + self._step, len(block)) - 1
            end = int(block.ends[last]) + 1
            known = [] if block.overlong else self._shapes.recognise_all(block.data[start:end])
            yield from known or repeat(None, last + 1 - first)
            first, start = last + 1, end
            # Small steps at first, since each begins with what the lines before it have taught.
            self._step = min(2 * self._step, _MAX_STEP)

    def _check_line(self, block: LineBlock, position: int, file: str) -> tuple[bytes, list[Violation]]:
        """The line's key, and all that is wrong with it."""
        place = Place(file, block.number(position))
        if position in block.overlong:
            message = f"a line of {block.overlong[position]:,} bytes is too long to be read"
            return b"", [Violation("limit.line_bytes", message, "", file, place.line)]
        line = block.line(position)
        value, found = decode_line(line)
        if value is None:
            return b"", [replace(violation, file=file, line=place.line) for violation in found]
        key = read_key(value, self._key_names)
        place = replace(place, key=key)
        findings = Findings(self._options.import_rules, self._options.advice, violations=found)
        check_members(findings, value)
        found = [replace(violation, file=file, line=place.line, key=key) for violation in found]
        is_sound = not found
        if self._options.import_rules and (is_sound or not self._options.rejects):
            found += (
                self._lattice.screen(value, place) if self._options.rejects else self._lattice.observe(value, place)
            )
        if found and self._options.rejects:
            return b"", found
        if is_sound:
            self._shapes.learn(line, value)
        return (key or "").encode("utf-8", "surrogatepass"), found

    def _check_keys(self, keys: list[bytes], ordinals: list[int]) -> list[Violation]:
        found = []
        for index, first in self._keys.add(keys, ordinals):
            key = keys[index].decode("utf-8", "replace")
            message = (
                f"the key {brief(key)} stands on {self._place(first)} too, so predictions cannot be told apart by it"
            )
            found.append(self._at(ordinals[index], "schema.duplicate_key", message, key))
        if self._options.advice and keys:
            texts = pa.array([key.decode("utf-8", "replace") for key in keys], pa.string())
            for index in pc.indices_nonzero(pc.not_equal(texts, encode_keys(texts))).to_pylist():
                text = texts[index].as_py()
                message = f"the key {brief(text)} looks like a number, a date or a boolean, and a loader may rewrite it"
                found.append(self._at(ordinals[index], "schema.typed_key", message, text))
        return found

    def _check_size(self, block: LineBlock, file: str) -> list[Violation]:
        found = []
        before, self._file_bytes = self._file_bytes, int(block.offsets()[-1])
        first = self._files[-1][0]
        rows_before = self._line_count - first
        most = LIMITS.max_requests_per_job
        if rows_before <= most < rows_before + len(block):
            message = f"more than {most:,} lines, the most a job takes; split the file"
            found.append(Violation("limit.rows", message, "", file, most + 1))
        most = LIMITS.max_input_file_bytes
        if self._options.import_rules and before <= most < self._file_bytes:
            message = f"more than {most:,} bytes, the most a job takes from one file; split it"
            found.append(Violation("limit.file_bytes", message, "", file, block.number(len(block) - 1)))
        return found

    def _place(self, ordinal: int) -> Place:
        start, file = self._files[bisect_right(self._files, ordinal, key=lambda entry: entry[0]) - 1]
        return Place(file, ordinal - start + 1)

    def _at(self, ordinal: int, rule: str, message: str, key: str) -> Violation:
        place = self._place(ordinal)
        return Violation(rule, message, "$", place.file, place.line, key)


def iter_violations(
    blocks: Iterable[LineBlock], *, file: str, options: CheckOptions | None = None
) -> Iterator[Violation]:
    """What is wrong with one file: line by line as it is read, then with the whole.

    Args:
        blocks: The file's lines, in order.
        file: The file or URI, to be named in what is found.
        options: What to look for.
    """
    checker = RequestChecker(options)
    for block in blocks:
        yield from checker.feed(block, file)
    yield from checker.finish()


def check_request(
    request: dict[str, Any], *, import_rules: bool = True, is_slot: Callable[[str], bool] | None = None
) -> list[Violation]:
    """What is wrong with one decoded request, as if it were the only line of a set; paths begin ``$.request``.

    Args:
        request: The ``GenerateContentRequest``.
        import_rules: Whether it will go to Cloud Storage.
        is_slot: Tells text that stands for a value still to come, and so may stand in place of any value.
    """
    line = {"request": request}
    findings = Findings(import_rules, advice=False, is_slot=is_slot)
    check_members(findings, line)
    if not import_rules:
        return findings.violations
    lattice = Lattice()
    return findings.violations + lattice.observe(line, Place()) + lattice.finish()


def check_members(findings: Findings, line: dict[str, Any]) -> None:
    """Nothing; what is wrong with a line's members, the importer's rules aside, is added to the findings."""
    for name in line:
        if name in RESERVED_SIBLINGS:
            message = f"the service writes {name!r} itself on prediction lines; call this member something else"
            findings.add("schema.reserved_sibling", (None, name), message)
    request = line.get("request")
    if request is None:
        findings.add("schema.missing_request", None, 'the line has no request; write {"request": …}')
    else:
        structure_check().check(findings, request_node(), request, (None, "request"))


def read_key(line: dict[str, Any], names: Iterable[str] = KEY_NAMES) -> str | None:
    """The line's key as text, None where it has none or one that is no scalar."""
    key = next((line[name] for name in names if line.get(name) is not None), None)
    if isinstance(key, str) or key is None:
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    return None if isinstance(key, dict | list) else str(key)
