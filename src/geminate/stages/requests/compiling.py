"""A spec and the prompts' schema, compiled to what encodes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import types

from geminate.errors import SpecError
from geminate.stages.checks.fields import Node, request_node
from geminate.stages.requests.cells import JsonReader, Reader, TemplateReader, TextReader
from geminate.stages.requests.encoder import Leaf, RequestEncoder
from geminate.stages.requests.faults import TEXT_FIELD, is_checked
from geminate.stages.requests.media import MediaReader, MediaSlot, describe_misfit, media_column
from geminate.stages.requests.values import find_wordless, is_string, is_structured
from geminate.stages.specs import Piece, Slot, Spec, Template, parse_text, split_template
from geminate.stages.specs.suggestions import suggest
from geminate.wire.answers.forms import load_forms

# What a slot alone in its string becomes a JSON value for; in all other fields it is text unless '| json' says so.
_JSON_KINDS = {"object", "array", "map", "boolean", "integer", "number"}
_NUMBER_KINDS = {"boolean", "integer", "number"}
_ANY = Node("any")
_PART = "part"
_EXAMPLE_PART = {"fileData": {"fileUri": "gs://bucket/object", "mimeType": "image/png"}}


def compile_requests(
    spec: Spec, schema: pa.Schema, *, answer_settings: Mapping[str, Any] | None = None
) -> RequestEncoder:
    """What encodes prompts of this schema to the spec's request lines.

    A slot alone in its string takes the type of its field: ``temperature: "{{ t }}"`` is a number, ``contents:
    "{{ turns }}"`` a list, ``text: "{{ n }}"`` a text. ``| json`` makes it a JSON value anywhere.

    Args:
        spec: The spec.
        schema: The prompts' columns.
        answer_settings: What goes into ``generationConfig`` to ask for the answer schema, where the spec has not set
            such a field itself. A request that comes whole from a column is left as it is.

    Raises:
        SpecError: The spec uses a column that is not there, or that has no text.
    """
    request = spec.request
    if answer_settings:
        request = _add_answer(spec, request, answer_settings)
    compiler = _Compiler(spec, schema)
    compiler.write('","request":')
    compiler.walk(request, request_node(), "", "$.request")
    compiler.write("}\n")
    return RequestEncoder(
        _with_example_parts(request, spec),
        tuple(compiler.free_paths),
        tuple(compiler.columns),
        tuple(compiler.media.values()),
        tuple(compiler.readers.values()),
        tuple(compiler.fragments),
        tuple(compiler.leaves),
    )


def _add_answer(spec: Spec, request: Any, answer_settings: Mapping[str, Any]) -> Any:
    """The request with what asks for the answer schema; as it is where it does so itself."""
    settings = {} if isinstance(request, str) else request.get("generationConfig", {})
    if not isinstance(settings, dict):
        raise SpecError(
            "the answer schema has no place here",
            where=spec.place("$.request.generationConfig"),
            remedy="write generationConfig in the spec, or leave out 'answer'",
        )
    if isinstance(request, str) or any(name in settings for name in load_forms().forms):
        if spec.answer_form is not None:
            raise SpecError(
                f"{spec.answer_form} has no place here: the request asks for answers in its own way",
                where=spec.place("$.answer_form"),
                remedy="leave out 'answer_form'",
            )
        return request
    forms = load_forms().forms
    ahead = {name: value for name, value in answer_settings.items() if name not in forms}
    schema = {name: value for name, value in answer_settings.items() if name in forms}
    return {**request, "generationConfig": {**ahead, **settings, **schema}}


def _with_example_parts(value: Any, spec: Spec) -> Any:
    """The same with parts where media will be; the defaults of these stand behind, so that they are checked, too."""
    if isinstance(value, dict):
        return {name: _with_example_parts(member, spec) for name, member in value.items()}
    if not isinstance(value, list):
        return value
    slots = {at: slot for at, element in enumerate(value) if (slot := _part_slot(element))}
    elements = [
        _EXAMPLE_PART if at in slots else _with_example_parts(element, spec) for at, element in enumerate(value)
    ]
    defaults = (spec.defaults.get(slot.name) for slot in slots.values())
    return elements + [default for default in defaults if default is not None]


def _part_slot(element: Any) -> Slot | None:
    pieces = parse_text(element, "") if isinstance(element, str) else ()
    slot = pieces[0] if len(pieces) == 1 else None
    return slot if isinstance(slot, Slot) and slot.medium == _PART else None


class _Compiler:
    """One walk over a request, and what came of it so far."""

    def __init__(self, spec: Spec, schema: pa.Schema) -> None:
        self._spec = spec
        self._schema = schema
        self.fragments: list[str | int] = []
        self.readers: dict[object, Reader | MediaReader] = {}
        self.media: dict[str, MediaSlot] = {}
        self.leaves: list[Leaf] = []
        self.free_paths: list[str] = []
        self.columns: dict[str, None] = {}

    def write(self, json_text: str) -> None:
        """Nothing; the text follows what was written before."""
        if self.fragments and isinstance(self.fragments[-1], str):
            self.fragments[-1] += json_text
        else:
            self.fragments.append(json_text)

    def walk(self, value: Any, node: Node, field: str, path: str) -> None:
        """Nothing; the value is written as JSON, with readers where its slots are."""
        if isinstance(value, dict):
            self._walk_members(value, node, field, path)
        elif isinstance(value, list):
            for at, element in enumerate(value):
                self.write("," if at else "[")
                self.walk(element, node.element or _ANY, field, f"{path}[{at}]")
            self.write("]" if value else "[]")
        elif isinstance(value, str):
            self._walk_text(parse_text(value, self._spec.place(path)), node, field, path)
        else:
            self.write(_json(value))

    def _walk_members(self, members: dict[str, Any], node: Node, field: str, path: str) -> None:
        self.write("{")
        for at, (name, member) in enumerate(members.items()):
            self.write(f"{',' if at else ''}{_json(name)}:")
            known = node.fields.get(name)
            if known:
                self.walk(member, known.node, f"{node.name}.{known.name}", f"{path}.{name}")
            else:
                self.walk(member, node.element or _ANY, field, f"{path}.{name}")
        self.write("}")

    def _walk_text(self, pieces: tuple[Piece, ...], node: Node, field: str, path: str) -> None:
        slot = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], Slot) else None
        if slot and slot.medium == _PART:
            self.fragments.append(self._add_part(slot, node, path))
            return
        if slot and not slot.medium and (slot.as_json or node.kind in _JSON_KINDS):
            position = self._add_json(slot, node, path)
            self.fragments.append(position)
            if node.kind in _NUMBER_KINDS:
                self.leaves.append(Leaf((position,), field, node, path))
            return
        if len(pieces) == 1 and isinstance(pieces[0], Template):
            pieces = split_template(pieces[0], self._is_text, self._spec.place(path))
        parts = [piece if isinstance(piece, str) else self._add_text(piece, path) for piece in pieces]
        self.write('"')
        for part in parts:
            if isinstance(part, str):
                self.write(_json(part)[1:-1])
            else:
                self.fragments.append(part)
        self.write('"')
        varies = any(isinstance(part, int) for part in parts) and not (slot and slot.medium)
        is_filled = field == TEXT_FIELD and any(isinstance(part, str) for part in parts)
        if varies and not is_filled and is_checked(field, node):
            self.leaves.append(Leaf(tuple(parts), field, node, path))

    def _is_text(self, slot: Slot) -> bool:
        """Whether a template prints the slot as a text does: its cells are text, and so is its default."""
        default = self._spec.defaults.get(slot.name)
        is_there = self._schema.names.count(slot.column) == 1
        return (default is None or isinstance(default, str)) and (
            is_there and is_string(_unwrapped(self._schema.field(slot.column).type))
        )

    def _add_part(self, slot: Slot, node: Node, path: str) -> int:
        if node.name != "Part":
            raise SpecError(
                f"'{slot.name} | part' is no part of a content here",
                where=self._spec.place(path),
                remedy="let it stand by itself among 'parts', or use '| uri', '| base64' and '| mime'",
            )
        return self._add_medium(slot, path)

    def _add_medium(self, slot: Slot, path: str) -> int:
        """The reader of what becomes of a medium; its slot is known from now on."""
        place = self._spec.place(path)
        misfit = describe_misfit(self._find_type(slot, path), several=slot.medium == _PART)
        if misfit:
            raise SpecError(f"{slot.name!r} {misfit}", where=place)
        default = self._spec.defaults.get(slot.name)
        if default is not None and (slot.medium != _PART or not isinstance(default, dict)):
            remedy = "give a part, such as {text: (no picture)}, and write '| part'"
            raise SpecError(f"the default of {slot.name!r} cannot stand for a medium", where=place, remedy=remedy)
        known = self.media.get(slot.name)
        wanted = dict(known.wanted) if known else {}
        wanted[slot.medium] = wanted.get(slot.medium, 0) + 1
        first_path = known.path if known else path
        json_default = None if default is None else _json(default)
        self.media[slot.name] = MediaSlot(slot.name, slot.column, slot.fields, wanted, first_path, json_default)
        column = media_column(slot.name, slot.medium)
        return self._add((slot, "medium"), MediaReader(column, is_json=slot.medium == _PART))

    def _add_json(self, slot: Slot, node: Node, path: str) -> int:
        data_type = self._type_of(slot, path)
        if is_string(data_type) or is_structured(data_type):
            self.free_paths.append(path)
        default = self._spec.defaults.get(slot.name)
        json_default = None if default is None else _json(default)
        reader = JsonReader(slot, path, json_default, is_whole=node.kind == "integer")
        return self._add((slot, "json", reader.is_whole), reader)

    def _add_text(self, piece: Slot | Template, path: str) -> int:
        if isinstance(piece, Template):
            for column in piece.columns:
                self._type_of(Slot(column), path)
            names = self._spec.defaults.keys() & piece.columns
            return self._add(piece, TemplateReader(piece, path, {name: self._spec.defaults[name] for name in names}))
        if piece.medium:
            return self._add_medium(piece, path)
        self._type_of(piece, path)
        default = self._spec.defaults.get(piece.name)
        text_default = default if default is None or isinstance(default, str) else _json(default)
        return self._add((piece, "text"), TextReader(piece, path, text_default))

    def _add(self, identity: object, reader: Reader | MediaReader) -> int:
        self.readers.setdefault(identity, reader)
        return list(self.readers).index(identity)

    def _type_of(self, slot: Slot, path: str) -> pa.DataType:
        """The slot's Arrow type, which has a text; its column is read from now on."""
        data_type = self._find_type(slot, path)
        wordless = find_wordless(data_type)
        if wordless is not None:
            raise SpecError(
                f"{slot.name!r} holds {wordless}, which has no text",
                where=self._spec.place(path),
                remedy="convert it in the prompts; a medium's slot is written {{ … | part }}",
            )
        self.columns[slot.column] = None
        return data_type

    def _find_type(self, slot: Slot, path: str) -> pa.DataType:
        place = self._spec.place(path)
        self._find_column(slot, place)
        data_type = _unwrapped(self._schema.field(slot.column).type)
        for name in slot.fields:
            known = [field.name for field in data_type] if types.is_struct(data_type) else []
            if name not in known:
                trouble = f"{slot.name!r} asks for {name!r}, which is no field there"
                raise SpecError(f"{trouble}{suggest(name, known)}", where=place)
            data_type = _unwrapped(data_type.field(name).type)
        return data_type

    def _find_column(self, slot: Slot, place: str) -> None:
        names = self._schema.names
        if slot.column not in names:
            remedy = f"there are {', '.join(names)}"
            if slot.name in names:
                remedy = f'write {{{{ columns["{slot.name}"] }}}}'
            what = f"the prompts have no column {slot.column!r}{suggest(slot.column, names)}"
            raise SpecError(what, where=place, remedy=remedy)
        if names.count(slot.column) > 1:
            raise SpecError(f"the prompts have several columns called {slot.column!r}", where=place)


def _unwrapped(data_type: pa.DataType) -> pa.DataType:
    if isinstance(data_type, pa.BaseExtensionType):
        return _unwrapped(data_type.storage_type)
    return _unwrapped(data_type.value_type) if types.is_dictionary(data_type) else data_type


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
