"""List filters, after AIP-160 and the fields that ``batchPredictionJobs.list`` documents (revision 20261106)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from geminate.emulator.jobs import STATES, Job
from geminate.emulator.statuses import ApiError
from geminate.emulator.times import parse_rfc3339

Predicate = Callable[[Job], bool]

_SPACE = re.compile(r"\s*")
_COMPARATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_FIELD = re.compile(r"[A-Za-z_][\w.-]*")
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|([^\s()]+)')
_ORDERINGS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_filter(text: str) -> Predicate:
    """Whether a job matches; an empty filter matches all.

    ``OR`` binds tighter than ``AND``, as AIP-160 has it.

    Raises:
        ApiError: The filter cannot be read, or names a field that cannot be filtered on.
    """
    if not text.strip():
        return lambda _: True
    parser = _Parser(text)
    predicate = parser.conjunction()
    parser.expect_end()
    return predicate


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip()

    def conjunction(self) -> Predicate:
        terms = [self._disjunction()]
        while not self._ended():
            # Two terms side by side are joined like with AND.
            self._take_word("AND")
            terms.append(self._disjunction())
        return lambda job: all(term(job) for term in terms)

    def expect_end(self) -> None:
        if self._at < len(self._text):
            raise self._error("there is more than a filter")

    def _disjunction(self) -> Predicate:
        terms = [self._negation()]
        while self._take_word("OR"):
            terms.append(self._negation())
        return lambda job: any(term(job) for term in terms)

    def _negation(self) -> Predicate:
        if self._take_word("NOT") or self._take("-"):
            term = self._simple()
            return lambda job: not term(job)
        return self._simple()

    def _simple(self) -> Predicate:
        if self._take("("):
            inside = self.conjunction()
            if not self._take(")"):
                raise self._error("a bracket is not closed")
            return inside
        field, comparator = self._match(_FIELD, "a field"), self._match(_COMPARATOR, "a comparison")
        found = _VALUE.match(self._text, self._at)
        if not found:
            raise self._error("a value is missing")
        self._at = found.end()
        self._skip()
        quoted = found[1] if found[1] is not None else found[2]
        value = found[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        return _restriction(field, comparator, value)

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self._text, self._at)
        if not found:
            raise self._error(f"{what} is missing")
        self._at = found.end()
        self._skip()
        return found[0]

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        self._skip()
        return True

    def _take_word(self, word: str) -> bool:
        following = self._text[self._at + len(word) : self._at + len(word) + 1]
        return (not following or following in " \t\n(") and self._take(word)

    def _ended(self) -> bool:
        return self._at >= len(self._text) or self._text[self._at] == ")"

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _error(self, what: str) -> ApiError:
        return _invalid(f"{what} at position {self._at} of {self._text!r}")


def _restriction(field: str, comparator: str, value: str) -> Predicate:
    if field.startswith("labels."):
        return _label(field.removeprefix("labels."), comparator, value)
    if field in {"displayName", "display_name"}:
        return _display_name(comparator, value)
    if field == "state":
        return _state(comparator, value)
    if field in {"createTime", "create_time"}:
        return _create_time(comparator, value)
    raise _invalid(f"field {field!r} is not supported")


def _label(key: str, comparator: str, value: str) -> Predicate:
    def label(job: Job) -> str | None:
        return (job.body.get("labels") or {}).get(key)

    if comparator == ":" and value == "*":
        return lambda job: label(job) is not None
    if comparator in {"=", ":"}:
        return lambda job: label(job) == value
    if comparator == "!=":
        return lambda job: label(job) != value
    raise _invalid(f"labels cannot be compared with {comparator!r}")


def _display_name(comparator: str, value: str) -> Predicate:
    if comparator == "=":
        return lambda job: bool(job.body["displayName"] == value)
    if comparator == "!=":
        return lambda job: bool(job.body["displayName"] != value)
    if comparator == ":":
        pattern = re.sub(r"([\[?])", r"[\1]", value if "*" in value else f"*{value}*")
        return lambda job: fnmatchcase(job.body["displayName"], pattern)
    raise _invalid(f"displayName cannot be compared with {comparator!r}")


def _state(comparator: str, value: str) -> Predicate:
    if value not in STATES:
        raise _invalid(f"{value!r} is no job state")
    if comparator == "=":
        return lambda job: job.state == value
    if comparator == "!=":
        return lambda job: job.state != value
    raise _invalid(f"state cannot be compared with {comparator!r}")


def _create_time(comparator: str, value: str) -> Predicate:
    if comparator not in _ORDERINGS:
        raise _invalid(f"createTime cannot be compared with {comparator!r}")
    try:
        instant = parse_rfc3339(value)
    except ValueError:
        raise _invalid(f"{value!r} is no RFC 3339 time") from None
    compare = _ORDERINGS[comparator]
    return lambda job: compare(round(job.create_time, 6), round(instant, 6))


def _invalid(what: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", f"Invalid filter: {what}.")
