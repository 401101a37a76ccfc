"""Valid instances of an answer schema: of the service's own dialect and of JSON Schema.

What an instance holds is decided by the random source alone, so an equal seed gives an equal instance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID

from geminate.emulator.patterns import text_matching

Schema = Mapping[str, Any]

_MAX_LEVEL = 8
_OPTIONAL_CHANCE = 0.8
_NULL_CHANCE = 0.1
_SPAN = 100
_MORE_ITEMS = 2
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "iris", "juniper", "kelp", "lagoon")
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def schema_instance(schema: Schema, random: Random) -> Any:
    """A value that the schema allows, as builtins; object members stand in the order of ``propertyOrdering``.

    Bounds, enumerations, nullability, unions, references and common formats are kept; ``pattern`` where it can be.
    ``not``, ``if`` and dependencies between members are not looked at.
    """
    return _Instances(schema, random).make(schema, 0)


class _Instances:
    def __init__(self, root: Schema, random: Random) -> None:
        self._root = root
        self._random = random
        self._makers: dict[str, Callable[[Schema, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _schema, _level: self._random.random() < 0.5,
            "null": lambda _schema, _level: None,
        }

    def make(self, schema: Schema | Literal[True], level: int) -> Any:
        """A value for a schema at a level of nesting."""
        if not isinstance(schema, Mapping):
            return self._random.choice(_WORDS)
        schema = self._resolved(schema, level)
        if schema.get("nullable") is True and self._random.random() < _NULL_CHANCE:
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        return self._makers[self._kind(schema, level)](schema, level)

    def _resolved(self, schema: Schema, level: int) -> Schema:
        # Each round opens one reference or union; a schema that only names itself ends as one without rules.
        for _ in range(_MAX_LEVEL):
            reference = schema.get("$ref") or schema.get("ref")
            rest = {
                name: rule for name, rule in schema.items() if name not in {"$ref", "ref", "anyOf", "oneOf", "allOf"}
            }
            if isinstance(reference, str):
                schema = _merged(self._referenced(reference), rest)
            elif schema.get("allOf"):
                for part in schema["allOf"]:
                    rest = _merged(rest, self._resolved(part, level))
                schema = {**rest, **{name: schema[name] for name in ("anyOf", "oneOf") if name in schema}}
            elif options := schema.get("anyOf") or schema.get("any_of") or schema.get("oneOf"):
                rest.pop("any_of", None)
                schema = _merged(rest, self._option(options, level))
            else:
                return schema
        return {}

    def _option(self, options: list[Schema], level: int) -> Schema:
        if level < _MAX_LEVEL:
            return self._random.choice(options)
        # Deep inside a recursive schema the plainest branch ends it.
        return min(options, key=lambda option: ("$ref" in option, _kinds(option)[0] in {"object", "array"}))

    def _referenced(self, reference: str) -> Schema:
        found: Any = self._root
        names = [name.replace("~1", "/").replace("~0", "~") for name in reference.removeprefix("#").split("/") if name]
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is None and names:
            # The service's own dialect names definitions without the path to them.
            found = {**(self._root.get("defs") or {}), **(self._root.get("$defs") or {})}.get(names[-1])
        return found if isinstance(found, Mapping) else {}

    def _kind(self, schema: Schema, level: int) -> str:
        kinds = [kind for kind in _kinds(schema) if kind in self._makers] or ["string"]
        if len(kinds) > 1 and "null" in kinds and (level >= _MAX_LEVEL or self._random.random() < _NULL_CHANCE):
            return "null"
        return self._random.choice([kind for kind in kinds if kind != "null"] or kinds)

    def _object(self, schema: Schema, level: int) -> dict[str, Any]:
        # Requests that are a former job's echo hold nulls where other rows have properties.
        properties = {name: rule for name, rule in (schema.get("properties") or {}).items() if rule is not None}
        required = set(schema.get("required") or ())
        ordering = _rule(schema, "propertyOrdering") or ()
        names = [name for name in ordering if name in properties]
        names += [name for name in (*properties, *sorted(required)) if name not in names]
        names = list(dict.fromkeys(names))
        chance = _OPTIONAL_CHANCE if level < _MAX_LEVEL else 0
        chosen = {name for name in names if name in required or self._random.random() < chance}
        optional = [name for name in names if name not in required]
        while len(chosen) < _bound(schema, "minProperties", 0) and len(chosen) < len(names):
            chosen.add(next(name for name in optional if name not in chosen))
        while len(chosen) > _bound(schema, "maxProperties", len(names)) and chosen - required:
            chosen.remove(next(name for name in reversed(optional) if name in chosen))
        made = {name: self.make(properties.get(name, True), level + 1) for name in names if name in chosen}
        self._fill(made, schema, level)
        return made

    def _fill(self, made: dict[str, Any], schema: Schema, level: int) -> None:
        # A map has no named properties; it gets as many as it must have, and one where it may have any.
        free = schema.get("additionalProperties", False)
        least = _bound(schema, "minProperties", 1 if isinstance(free, Mapping) and not schema.get("properties") else 0)
        if free is False and len(made) < least and schema.get("properties"):
            return
        for word in _WORDS:
            if len(made) >= min(least, _bound(schema, "maxProperties", least)) or level >= _MAX_LEVEL:
                return
            if word not in made:
                made[word] = self.make(free if isinstance(free, Mapping) else True, level + 1)

    def _array(self, schema: Schema, level: int) -> list[Any]:
        least = _bound(schema, "minItems", 0)
        most = _bound(schema, "maxItems", max(least, 1) + _MORE_ITEMS)
        shallow = level < _MAX_LEVEL
        length = self._random.randint(min(max(least, 1), most), min(most, least + _MORE_ITEMS)) if shallow else least
        first = list(schema.get("prefixItems") or ())[:length]
        items = schema.get("items", True)
        unique = schema.get("uniqueItems") is True
        made: list[Any] = [self.make(each, level + 1) for each in first]
        for _ in range(4 * length):
            if len(made) >= length:
                break
            value = self.make(items, level + 1)
            if not (unique and value in made):
                made.append(value)
        return made

    def _string(self, schema: Schema, _level: int) -> str:
        least, most = _bound(schema, "minLength", 0), _bound(schema, "maxLength", None)
        if pattern := schema.get("pattern"):
            text = text_matching(str(pattern), self._random, least, most)
            if text is not None:
                return text
        if text := self._formatted(str(schema.get("format", ""))):
            return text
        text = " ".join(self._random.choices(_WORDS, k=self._random.randint(1, 4)))
        while len(text) < least:
            text += f" {self._random.choice(_WORDS)}"
        return text if most is None else text[:most]

    def _formatted(self, form: str) -> str:
        moment = _EPOCH + timedelta(seconds=self._random.randrange(10**8))
        word = self._random.choice(_WORDS)
        forms = {
            "date-time": moment.isoformat(),
            "date": moment.date().isoformat(),
            "time": moment.timetz().isoformat(),
            "duration": f"PT{moment.second}S",
            "uuid": str(UUID(int=self._random.getrandbits(128), version=4)),
            "email": f"{word}@example.com",
            "hostname": f"{word}.example.com",
            "ipv4": f"192.0.2.{moment.second}",
            "ipv6": f"2001:db8::{moment.second:x}",
            "uri": f"https://example.com/{word}",
        }
        return forms.get(form, "")

    def _integer(self, schema: Schema, level: int) -> int:
        return int(self._number({**schema, "multipleOf": schema.get("multipleOf", 1)}, level))

    def _number(self, schema: Schema, _level: int) -> float:
        low, high = _range(schema)
        if step := schema.get("multipleOf"):
            first = math.ceil(low / step) + (_excluded(schema, "exclusiveMinimum", math.ceil(low / step) * step))
            last = math.floor(high / step) - (_excluded(schema, "exclusiveMaximum", math.floor(high / step) * step))
            value = self._random.randint(first, max(first, last)) * step
            return value if isinstance(value, int) else round(value, 9)
        value = round(self._random.uniform(low, high), 2)
        inside = low < value < high
        return value if inside else (low + high) / 2


def _range(schema: Schema) -> tuple[float, float]:
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if _is_number(schema.get(name))]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if _is_number(schema.get(name))]
    low = max(lows) if lows else (min(highs) - _SPAN if highs and min(highs) < 0 else 0)
    high = min(highs) if highs else max(low, 0) + _SPAN
    return low, high


def _excluded(schema: Schema, rule: str, value: float) -> bool:
    return _is_number(schema.get(rule)) and bool(schema[rule] == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kinds(schema: Schema) -> list[str]:
    kinds = schema.get("type")
    if kinds is None:
        return ["object" if "properties" in schema else "array" if "items" in schema else "string"]
    return [str(kind).lower() for kind in (kinds if isinstance(kinds, list) else [kinds])]


def _rule(schema: Schema, name: str) -> Any:
    # Bounds and orderings come in both spellings, and 64-bit ones as texts.
    snake = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)
    return schema.get(name, schema.get(snake))


def _bound(schema: Schema, name: str, otherwise: Any) -> Any:
    value = _rule(schema, name)
    return otherwise if value is None else int(value)


def _merged(base: Schema, over: Schema) -> dict[str, Any]:
    merged = {**base, **over}
    if "properties" in base and "properties" in over:
        merged["properties"] = {**base["properties"], **over["properties"]}
    if "required" in base and "required" in over:
        merged["required"] = [*base["required"], *over["required"]]
    return merged
