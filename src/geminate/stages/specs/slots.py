"""What stands in a request's strings: text, slots, or a template.

========================  =====================================================================================
``{{ text }}``            the cell of column ``text``; names may hold single blanks and hyphens: ``{{ user id }}``
``{{ row.field }}``       a field of a struct column, at any depth
``{{ columns["a.b"] }}``  the column of any name, dots included
``{{ turns | json }}``    alone in its string: the cell as a JSON value in place of the string
``{{ photo | part }}``    alone, among a content's parts: the medium that the cell names or holds, as a part
``{{ photo | mime }}``    its MIME type; in the same way ``base64``, its bytes, and ``uri``, its place
``{{ '{{' }}``            two braces, and in the same way any other text
========================  =====================================================================================

A string that holds ``{%``, ``{#`` or any other expression in double braces is a Jinja template as a whole. In it a
null is undefined: it can be tested, and to print it rejects the row. Values print as Jinja prints them. A template
that uses no column is a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geminate.errors import SpecError

if TYPE_CHECKING:
    import minijinja

MAX_TEMPLATE_STEPS = 1_000_000
"""How many instructions a template may take for one row; ends loops over loops."""

MARKS = re.compile(r"\{\{|\{%|\{#")
"""What begins a slot, a statement or a comment."""

_NAME = r"""(?:(?P<name>\w+(?:[ -]\w+)*)|columns\[(?P<mark>["'])(?P<any>[^"'\\]+)(?P=mark)\])"""
_TOKEN = re.compile(
    rf"""\{{\{{\s*(?:{_NAME}(?P<fields>(?:\.\w+)*)\s*(?:\|\s*(?P<filter>json|part|base64|mime|uri)\s*)?"""
    r"""|(?P<quote>["'])(?P<text>[^"'\\]*)(?P=quote)\s*)\}\}"""
)
_COLUMNS_ITEM = re.compile(r"""\bcolumns\[(["'])([^"'\\]+)\1\]""")
_ALONE = {"part", "base64"}
_JINJA_WORDS = {"and", "else", "if", "in", "is", "not", "or"}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a cell goes.

    Attributes:
        column: The column's name.
        fields: The way into its structs.
        as_json: Whether its author asked for a JSON value.
        medium: What of the medium that the cell is goes there: ``part``, ``base64``, ``mime`` or ``uri``; empty where
            the cell is no medium.
    """

    column: str
    fields: tuple[str, ...] = ()
    as_json: bool = False
    medium: str = ""

    @property
    def name(self) -> str:
        """The column and the way into it, as ``defaults`` names them."""
        return ".".join((self.column, *self.fields))


@dataclass(frozen=True, slots=True)
class Template:
    """A string that is rendered row by row.

    Attributes:
        source: Its Jinja source.
        columns: The columns it uses, sorted.
        uses_columns: Whether some of them are reached as ``columns["…"]``.
    """

    source: str
    columns: tuple[str, ...]
    uses_columns: bool = False


Piece = str | Slot | Template


def parse_text(text: str, where: str) -> tuple[Piece, ...]:
    """The string's pieces in order; a template is one piece. Texts are not empty, and no two stand in a row.

    Args:
        text: The string.
        where: What errors name as its place.

    Raises:
        SpecError: It is no valid template, or asks for JSON inside a text.
    """
    pieces: list[Piece] = []
    end = 0
    while mark := MARKS.search(text, end):
        token = _TOKEN.match(text, mark.start())
        if token is None or _JINJA_WORDS.intersection((token["name"] or "").split(" ")):
            piece = parse_template(text, where)
            return (piece,) if piece else ()
        add_piece(pieces, text[end : mark.start()])
        add_piece(pieces, token["text"] if token["quote"] else _slot(token))
        end = token.end()
    add_piece(pieces, text[end:])
    if len(pieces) > 1:
        for piece in pieces:
            _refuse_inside(piece, where)
    return tuple(pieces)


def _refuse_inside(piece: Piece, where: str) -> None:
    if isinstance(piece, Slot) and piece.as_json:
        raise SpecError(
            "'| json' makes a value of its own, and here stands inside a text",
            where=where,
            remedy="leave out '| json': in a text, lists and structs are written as JSON anyway",
        )
    if isinstance(piece, Slot) and piece.medium in _ALONE:
        raise SpecError(
            f"'| {piece.medium}' makes a value of its own, and here stands inside a text",
            where=where,
            remedy="give it a string of its own",
        )


def add_piece(pieces: list[Piece], piece: Piece) -> None:
    """Nothing; the pieces are followed by one more, texts becoming one."""
    if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
        pieces[-1] += piece
    elif piece:
        pieces.append(piece)


def plain_slot(text: str) -> Slot | None:
    """The slot, where the text is nothing but one without a filter, and names a whole column."""
    token = _TOKEN.fullmatch(text)
    return None if token is None or token["quote"] or token["fields"] or token["filter"] else _slot(token)


def _slot(token: re.Match[str]) -> Slot:
    column = token["any"] if token["name"] is None else token["name"]
    wanted = token["filter"] or ""
    as_json = wanted == "json"
    return Slot(column, tuple(token["fields"].split(".")[1:]), as_json, "" if as_json else wanted)


def open_environment() -> minijinja.Environment:
    """A new Jinja environment as templates are meant: nothing escaped, nulls undefined, steps counted."""
    import minijinja

    environment: minijinja.Environment = minijinja.Environment(  # type: ignore[call-overload]
        # Its stubs do not know this behaviour yet: undefined values can be tested, and not printed.
        undefined_behavior="semi_strict",
        fuel=MAX_TEMPLATE_STEPS,
        keep_trailing_newline=True,
        auto_escape_callback=lambda _name: False,
    )
    return environment


def parse_template(source: str, where: str) -> Piece:
    """The template, or the text that it always makes.

    Raises:
        SpecError: It is no valid template.
    """
    import minijinja

    environment = open_environment()
    named = {item[1] for item in _COLUMNS_ITEM.findall(source)}
    try:
        environment.add_template("request", source)
        free = environment.undeclared_variables_in_template("request") - set(environment.globals)
        columns = (free - {"columns"} if named else free) | named
        text = _render_bare(environment, fails=not columns)
    except minijinja.TemplateError as error:
        raise SpecError(
            f"not a template: {error.detail or error.kind}",
            where=where,
            remedy="write {{ '{{' }} for two braces that are no slot, and {{ columns[\"…\"] }} for odd column names",
        ) from error
    return Template(source, tuple(sorted(columns)), bool(named)) if columns else text


def _render_bare(environment: minijinja.Environment, *, fails: bool) -> str:
    """The template's text without any column; what fails for want of one is let pass unless it ``fails``."""
    import minijinja

    try:
        return environment.render_template("request")
    except minijinja.TemplateError as error:
        # Filters and tests are looked up only when they are reached.
        if fails or error.kind in {"UnknownFilter", "UnknownTest"}:
            raise
        return ""
