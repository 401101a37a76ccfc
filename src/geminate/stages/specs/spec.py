"""The spec as a value: made from a file, from text, from a document or by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from geminate.errors import SpecError
from geminate.stages.checks.fields import Node, request_node
from geminate.stages.specs.documents import MAX_DEPTH, Document, read_document
from geminate.stages.specs.media import MediaOptions, read_media_options, refuse_unknown
from geminate.stages.specs.slots import Piece, Slot, parse_text
from geminate.stages.specs.suggestions import suggest
from geminate.wire.answers.forms import choose_form
from geminate.wire.answers.sources import read_source

_KEYS = ("model", "request", "answer", "answer_form", "defaults", "media")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a run asks of the model, row by row.

    Attributes:
        model: The model's name.
        request: A ``GenerateContentRequest`` with slots in its strings, field names in camelCase whichever way they
            were spelled; or one slot, ``{{ column | json }}``, for a column that holds whole requests.
        answer: The answer schema: a mapping, a Pydantic model or another type with a JSON Schema; None for free text.
        answer_form: The field of ``generationConfig`` that asks for it; None for the one that the table of forms has
            first for this model.
        defaults: What stands for a null, by the slot's name.
        media: How media are brought into requests, by the slot's name, as mappings of ``MediaOptions``.
        origin: What errors name as the spec's place. No part of its identity.
        lines: The line of each JSON path in that place, as far as known. No part of its identity either.

    Raises:
        SpecError: A part is missing, is of the wrong type, or has a slot that cannot be read.
    """

    model: str
    request: dict[str, Any] | str
    answer: Any = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    media: Mapping[str, Any] = field(default_factory=dict)
    answer_form: str | None = None
    origin: str = field(default="spec", compare=False, repr=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise SpecError("the model is not named", where=self.place("$.model"), remedy="name it, as text")
        if isinstance(self.answer, str):
            raise SpecError("the answer is a text", where=self.place("$.answer"), remedy="give the schema itself")
        if self.answer_form is not None:
            self._check_form()
        try:
            object.__setattr__(self, "request", self._read_request())
            object.__setattr__(self, "defaults", self._read_defaults())
            object.__setattr__(self, "media", self._read_media())
            self._encode()
        except UnicodeEncodeError as error:
            raise SpecError("a text holds half of a surrogate pair", where=self.origin) from error

    @classmethod
    def load(cls, path: Any) -> Spec:
        """The spec in a YAML or JSON file; a file that it names as its answer schema is read, too.

        Args:
            path: The file. The answer schema's file is relative to it.

        Raises:
            SpecError: A file cannot be read, or the spec breaks a rule.
        """
        name = str(path)
        document = read_document(_read_text(name), name)
        value = document.value
        if isinstance(value, dict) and isinstance(value.get("answer"), str):
            folder = name[: max(name.rfind("/"), name.rfind("\\")) + 1]
            answer_path = value["answer"]
            value["answer"] = load_answer(answer_path if answer_path.startswith("/") else folder + answer_path)
        return cls._read(document, name)

    @classmethod
    def parse(cls, text: str, where: str = "spec") -> Spec:
        """The spec in a YAML or JSON text, its answer schema inline."""
        return cls._read(read_document(text, where), where)

    @classmethod
    def from_prompt(
        cls,
        model: str,
        prompt: str,
        system: str | None = None,
        answer: Any = None,
        media: Mapping[str, Any] | None = None,
    ) -> Spec:
        """The spec of one user turn of media and one text, and a system instruction.

        Args:
            model: The model's name.
            prompt: The turn's text, with slots.
            system: The system instruction's text, with slots.
            answer: The answer schema, or the path object of its file.
            media: The columns of media that stand before the text, in order, each with its options.
        """
        request: dict[str, Any] = {}
        if system is not None:
            request["systemInstruction"] = {"parts": [{"text": system}]}
        parts = [f'{{{{ columns["{column}"] | part }}}}' for column in media or ()]
        request["contents"] = [{"role": "user", "parts": [*parts, {"text": prompt}]}]
        schema = load_answer(answer) if hasattr(answer, "__fspath__") else answer
        options = {column: setting for column, setting in (media or {}).items() if setting}
        return cls(model, request, schema, media=options, origin="prompt")

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str = "spec") -> Spec:
        """The spec that ``to_document`` wrote."""
        return cls._read(Document(dict(document)), where)

    def to_document(self) -> dict[str, Any]:
        """The spec as plain JSON. The order of the request's and the schema's keys is part of it."""
        document: dict[str, Any] = {"model": self.model, "request": self.request}
        if self.answer is not None:
            document["answer"] = read_source(self.answer, self.place("$.answer"))
        if self.answer_form is not None:
            document["answer_form"] = self.answer_form
        if self.defaults:
            document["defaults"] = dict(sorted(self.defaults.items()))
        if self.media:
            document["media"] = dict(sorted(self.media.items()))
        return document

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the document, in hex: equal for specs that make the same lines of the same prompts."""
        return hashlib.sha256(self._encode()).hexdigest()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the request uses, in the order of their first use."""
        return tuple(
            dict.fromkeys(name for _, pieces in self.iter_strings() for piece in pieces for name in _columns(piece))
        )

    def media_options(self, name: str) -> MediaOptions:
        """How the media of a slot are brought into requests."""
        return MediaOptions(**self.media.get(name, {}))

    def iter_strings(self) -> Iterator[tuple[str, tuple[Piece, ...]]]:
        """The request's strings in document order: the JSON path, from the spec's root, and the pieces."""
        for path, text in _iter_strings(self.request, "$.request"):
            yield path, parse_text(text, self.place(path))

    def place(self, path: str) -> str:
        """What an error names as the place of a JSON path: file, line as far as known, path."""
        return _place(self.origin, self.lines, path)

    @classmethod
    def _read(cls, document: Document, where: str) -> Spec:
        value = document.value
        if not isinstance(value, dict):
            raise SpecError("a spec is a mapping", where=where, remedy=f"give it the keys {', '.join(_KEYS)}")
        for name in value:
            if name not in _KEYS:
                place = _place(where, document.lines, f"$.{name}")
                raise SpecError(f"a spec has no key {name!r}{suggest(name, _KEYS)}", where=place)
        for name in ("model", "request"):
            if value.get(name) is None:
                raise SpecError(f"the spec has no {name!r}", where=where, remedy="add it")
        for name in ("defaults", "media"):
            value = value | {name: value.get(name) or {}}
        return cls(**value, origin=where, lines=document.lines)

    def _check_form(self) -> None:
        where = self.place("$.answer_form")
        if self.answer is None:
            raise SpecError("there is no answer schema to be put into a form", where=where, remedy="add 'answer'")
        choose_form(str(self.answer_form), self.model, where)

    def _read_request(self) -> dict[str, Any] | str:
        where = self.place("$.request")
        if isinstance(self.request, str):
            pieces = parse_text(self.request, where)
            if len(pieces) != 1 or not isinstance(pieces[0], Slot):
                raise SpecError("the request is a text", where=where, remedy="write a mapping, or one slot")
            return self.request
        if not isinstance(self.request, Mapping):
            raise SpecError("the request is no mapping", where=where, remedy="write a GenerateContentRequest")
        request: dict[str, Any] = read_source(self.request, where)
        if _is_deeper(request, MAX_DEPTH):
            raise SpecError("the request is nested too deep", where=where)
        request = _in_camel_case(request, request_node())
        for path, text in _iter_strings(request, "$.request"):
            parse_text(text, self.place(path))
        return request

    def _read_defaults(self) -> dict[str, Any]:
        where = self.place("$.defaults")
        if not isinstance(self.defaults, Mapping):
            raise SpecError("the defaults are no mapping", where=where, remedy="map columns to what stands for a null")
        defaults: dict[str, Any] = read_source(self.defaults, where)
        known = {name for _, pieces in self.iter_strings() for piece in pieces for name in _names(piece)}
        for name, value in defaults.items():
            if name not in known:
                raise SpecError(f"no slot is called {name!r}{suggest(name, known)}", where=where)
            if value is None:
                raise SpecError(f"the default of {name!r} is itself null", where=where, remedy="give it a value")
        return defaults

    def _read_media(self) -> dict[str, Any]:
        where = self.place("$.media")
        if not isinstance(self.media, Mapping):
            raise SpecError("what is said of media is no mapping", where=where, remedy="map columns to their options")
        media: dict[str, Any] = read_source(self.media, where)
        known = {
            piece.name
            for _, pieces in self.iter_strings()
            for piece in pieces
            if isinstance(piece, Slot) and piece.medium
        }
        refuse_unknown(media, known, where)
        for name, options in media.items():
            read_media_options(name, options, where)
        return media

    def _encode(self) -> bytes:
        return msgspec.json.encode(self.to_document())


def load_answer(path: Any) -> Any:
    """The answer schema in a JSON or YAML file.

    Raises:
        SpecError: It cannot be read, or is no mapping.
    """
    name = str(path)
    schema = read_document(_read_text(name), name).value
    if not isinstance(schema, dict):
        raise SpecError("a schema is a mapping", where=name, remedy="write a JSON Schema")
    return schema


def _read_text(name: str) -> str:
    try:
        with open(name, encoding="utf-8") as file:  # noqa: PTH123 - the core has no pathlib.
            return file.read()
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", where=name, remedy="check the path") from error
    except UnicodeDecodeError as error:
        raise SpecError("the file is not UTF-8", where=name, remedy="save it as UTF-8") from error


def _place(origin: str, lines: Mapping[str, int], path: str) -> str:
    line = lines.get(path)
    return f"{origin}:{line}: {path}" if line else f"{origin}: {path}"


def _columns(piece: Piece) -> tuple[str, ...]:
    if isinstance(piece, str):
        return ()
    return (piece.column,) if isinstance(piece, Slot) else piece.columns


def _names(piece: Piece) -> tuple[str, ...]:
    return (piece.name,) if isinstance(piece, Slot) else _columns(piece)


def _iter_strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _iter_strings(member, f"{path}.{name}")
    elif isinstance(value, list):
        for at, element in enumerate(value):
            yield from _iter_strings(element, f"{path}[{at}]")


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether it is nested deeper than that; it is not followed any further."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 1 or any(_is_deeper(member, depth - 1) for member in members)


def _in_camel_case(value: Any, node: Node | None) -> Any:
    """The value with its field names as the service writes them; names that are no fields stay."""
    if isinstance(value, list):
        return [_in_camel_case(element, node and node.element) for element in value]
    if not isinstance(value, dict):
        return value
    members = {}
    for key, member in value.items():
        known = node.fields.get(key) if node else None
        # Where both spellings stand, they stay for the check to find.
        name = known.name if known and known.name not in value else key
        members[name] = _in_camel_case(member, known.node if known else node and node.element)
    return members
