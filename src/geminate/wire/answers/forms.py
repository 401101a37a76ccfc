"""The fields of ``generationConfig`` that can carry an answer schema, and what each of them understands."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import msgspec

from geminate.errors import SpecError
from geminate.wire.answers.checks import did_you_mean
from geminate.wire.limits import bare_model

_GENERATION = re.compile(r"gemini-(\d+(?:\.\d+)?)")


class Form(msgspec.Struct, frozen=True):
    """What one field understands; ``forms.json`` has the sources.

    Attributes:
        taken_since: When the API was first seen to have the field.
        sure: How sure it is that batches take it.
        oldest_generation: The first generation of models that takes it; None where no model is known not to.
        caution: What to know before using it, None where nothing is.
        types: How it spells the JSON Schema types.
        nullable: Whether null is allowed by ``nullable``, or else by an alternative of type null.
        enum_types: The types whose values it can list.
        keywords: What else it understands, in the order in which it is written.
        formats: The formats it names, by type.
    """

    taken_since: str
    sure: str
    oldest_generation: float | None
    caution: str | None
    types: dict[str, str]
    nullable: bool
    enum_types: tuple[str, ...]
    keywords: tuple[str, ...]
    formats: dict[str, tuple[str, ...]]


class Forms(msgspec.Struct, frozen=True):
    """The table.

    Attributes:
        date: When its sources were read.
        forms: The forms by their field's name, in the order in which they are chosen.
    """

    date: str
    forms: dict[str, Form]


@cache
def load_forms() -> Forms:
    """The table that ships with the package."""
    return msgspec.json.decode(files(__package__).joinpath("forms.json").read_bytes(), type=Forms)


def choose_form(wanted: str | None, model: str, where: str) -> str:
    """The form in which this model is asked for answers: the one that is wanted, else the table's first that it takes.

    A model whose generation its name does not tell, such as a tuned one, takes all of them.

    Raises:
        SpecError: The form is unknown, or the model does not take it.
    """
    forms = load_forms().forms
    if wanted is None:
        return next(name for name, form in forms.items() if _takes(model, form))
    if wanted not in forms:
        remedy = did_you_mean(wanted, forms) or f"use one of {', '.join(forms)}"
        raise SpecError(f"{wanted!r} is no form of answer schemas", where=where, remedy=remedy)
    if not _takes(model, forms[wanted]):
        oldest = forms[wanted].oldest_generation
        remedy = f"leave the form out for {choose_form(None, model, where)}, or take a newer model"
        raise SpecError(
            f"{bare_model(model)!r} takes no {wanted}; models from {oldest} on do", where=where, remedy=remedy
        )
    return wanted


def _takes(model: str, form: Form) -> bool:
    generation = _GENERATION.match(bare_model(model))
    return form.oldest_generation is None or not generation or float(generation[1]) >= form.oldest_generation
