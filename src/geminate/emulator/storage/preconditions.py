"""The four preconditions, the same on every verb."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from geminate.emulator.storage.errors import condition_not_met, invalid, not_modified

_FIELDS = ("generation_match", "generation_not_match", "metageneration_match", "metageneration_not_match")


class Preconditions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What must hold for a call to be done; None where nothing is asked.

    A generation of 0 stands for no object at all.
    """

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    def check(self, generation: int, metageneration: int, *, reading: bool = False) -> None:
        """Nothing, where they hold for an object of these numbers; both are 0 where there is none.

        Raises:
            StorageError: 412; for a read that only asks for something else, 304.
        """
        pairs = ((self.generation_match, generation), (self.metageneration_match, metageneration))
        if any(wanted is not None and wanted != actual for wanted, actual in pairs):
            raise condition_not_met()
        pairs = ((self.generation_not_match, generation), (self.metageneration_not_match, metageneration))
        if any(unwanted is not None and unwanted == actual for unwanted, actual in pairs):
            raise not_modified() if reading else condition_not_met()


def read_preconditions(query: Mapping[str, str], prefix: str = "if") -> Preconditions:
    """The preconditions of a call.

    Upper and lower case are the same here: Google's client writes ``ifMetaGenerationNotMatch`` on uploads.

    Args:
        query: Its parameters.
        prefix: What their names begin with: ``ifSource`` for those on the source of a copy.

    Raises:
        StorageError: 400, one is no number.
    """
    lower = {name.lower(): value for name, value in query.items()}
    names = {field: f"{prefix}{field.replace('_', '')}".lower() for field in _FIELDS}
    return Preconditions(**{field: read_number(lower, name) for field, name in names.items()})


def read_number(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a number, None where it is not there.

    Raises:
        StorageError: 400, it is none.
    """
    text = query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise invalid(f"Invalid value for {name}: {text!r}")
    return int(text)
