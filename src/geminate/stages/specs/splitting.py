"""Templates taken apart: what is plain in them need not be rendered row by row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from geminate.stages.specs.slots import MARKS, Piece, Slot, Template, add_piece, parse_template, plain_slot

_INSIDE = r"""(?:[^"'%{}]|"[^"\\]*"|'[^'\\]*')*"""
_STEP: Final = re.compile(rf"\{{\{{{_INSIDE}\}}\}}|\{{%\s*(?P<tag>\w+){_INSIDE}%\}}|\{{#[^{{}}]*?#\}}")
_TRIMS: Final = re.compile(r"[{][{%#][-+]|[-+][}%#][}]")
_OPENING, _BETWEEN, _CLOSING = frozenset({"if", "for"}), frozenset({"elif", "else"}), frozenset({"endif", "endfor"})

# A template in more parts than this may take longer to render in parts.
_MAX_PARTS: Final = 4


def split_template(template: Template, is_text: Callable[[Slot], bool], where: str) -> tuple[Piece, ...]:
    """Pieces that together say what the template says: texts, plain slots of text, and templates for the rest.

    A template that does anything beside conditions, loops and output stays whole, and so does one that trims blanks,
    since what stands in one piece then hangs on another.

    Args:
        template: The template.
        is_text: Whether a slot's cells are text, which a template prints as it is.
        where: What errors name as its place.
    """
    source = template.source
    pieces: list[Piece] = []
    begin = end = depth = 0
    while mark := MARKS.search(source, end):
        step = _STEP.match(source, mark.start())
        tag = step["tag"] if step else None
        if step is None or _TRIMS.search(step[0]) or tag not in {None, *_OPENING, *_BETWEEN, *_CLOSING}:
            return (template,)
        if depth == 0:
            add_piece(pieces, source[end : mark.start()])
            begin = mark.start()
        depth += (tag in _OPENING) - (tag in _CLOSING)
        end = step.end()
        if depth == 0:
            slot = plain_slot(step[0])
            is_plain = slot is not None and slot.column in template.columns and is_text(slot)
            add_piece(pieces, slot if slot and is_plain else parse_template(source[begin:end], where))
    add_piece(pieces, source[end:])
    return tuple(pieces) if sum(isinstance(piece, Template) for piece in pieces) <= _MAX_PARTS else (template,)
