"""Texts that match a regular expression, for answers to schemas with a ``pattern``."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from random import Random

Maker = Callable[[Random], str]

_LETTERS, _DIGITS = string.ascii_lowercase, string.digits
_CLASSES = {"d": _DIGITS, "w": _LETTERS + _DIGITS + "_", "s": " "}
_PLAIN = _LETTERS + string.ascii_uppercase + _DIGITS + " _-.,"
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_COUNT = re.compile(r"\{(\d*)(,?)(\d*)\}")
_MORE = 3
_ATTEMPTS = 20


def text_matching(pattern: str, random: Random, min_length: int = 0, max_length: int | None = None) -> str | None:
    """A text in which the pattern is found, of a length in the bounds; None where none was found.

    Look-around, back references and named character properties are beyond it.
    """
    try:
        compiled = re.compile(pattern)
        make = _Pattern(pattern).maker()
    except (re.error, ValueError):
        return None
    for _ in range(_ATTEMPTS):
        text = make(random)
        if compiled.search(text) and min_length <= len(text) and (max_length is None or len(text) <= max_length):
            return text
    return None


class _Pattern:
    """A recursive descent over the pattern; each part becomes a maker of texts."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def maker(self) -> Maker:
        make = self._alternatives()
        if self._at < len(self._pattern):
            raise ValueError(self._pattern)
        return make

    def _alternatives(self) -> Maker:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return lambda random: random.choice(branches)(random)

    def _sequence(self) -> Maker:
        parts = []
        while self._at < len(self._pattern) and self._peek() not in "|)":
            parts.append(self._repeated(self._atom()))
        return lambda random: "".join(part(random) for part in parts)

    def _atom(self) -> Maker:
        sign = self._next()
        if sign in "^$":
            return lambda _: ""
        if sign == "(":
            return self._group()
        if sign == "[":
            return _one_of(self._set())
        if sign == ".":
            return _one_of(_PLAIN)
        if sign == "\\":
            return self._escape()
        return lambda _: sign

    def _group(self) -> Maker:
        if self._take("?") and not self._take(":"):
            raise ValueError(self._pattern)
        make = self._alternatives()
        if not self._take(")"):
            raise ValueError(self._pattern)
        return make

    def _escape(self) -> Maker:
        sign = self._next()
        if sign in "bBAzZ":
            return lambda _: ""
        return _one_of(self._escaped(sign))

    def _escaped(self, sign: str) -> str:
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign.lower() in _CLASSES:
            return "".join(each for each in _PLAIN if each not in _CLASSES[sign.lower()])
        if sign in _CONTROLS:
            return _CONTROLS[sign]
        if sign.isalnum():
            raise ValueError(self._pattern)
        return sign

    def _set(self) -> str:
        negated, members = self._take("^"), ""
        while not self._take("]") or not members:
            sign = self._next()
            literal = self._escaped(self._next()) if sign == "\\" else sign
            if (
                len(literal) == 1
                and self._peek() == "-"
                and self._pattern[self._at + 1 : self._at + 2] not in {"]", ""}
            ):
                self._next()
                last = self._next()
                last = self._escaped(self._next()) if last == "\\" else last
                literal = "".join(map(chr, range(ord(literal), ord(last) + 1)))
            members += literal
        return "".join(each for each in _PLAIN if each not in members) if negated else members

    def _repeated(self, make: Maker) -> Maker:
        least, most = self._bounds()
        self._take("?")
        if (least, most) == (1, 1):
            return make
        return lambda random: "".join(make(random) for _ in range(random.randint(least, most)))

    def _bounds(self) -> tuple[int, int]:
        found = _COUNT.match(self._pattern, self._at)
        if found and (found[1] or found[3]):
            self._at = found.end()
            least = int(found[1] or 0)
            return least, int(found[3]) if found[3] else (least + _MORE if found[2] else least)
        for sign, bounds in (("*", (0, _MORE)), ("+", (1, 1 + _MORE)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        return 1, 1

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        sign = self._peek()
        if not sign:
            raise ValueError(self._pattern)
        self._at += 1
        return sign

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at += 1
        return True


def _one_of(signs: str) -> Maker:
    if not signs:
        raise ValueError(signs)
    return lambda random: random.choice(signs)
