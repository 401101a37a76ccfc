"""What is to be read from prediction lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from geminate.errors import UsageError
from geminate.wire.predictions import SERVICE_MEMBERS
from geminate.wire.tables import REPAIR_COLUMN, decoded_schema


class JudgedTexts(Protocol):
    """Answers held against a schema, one for every text."""

    @property
    def answers(self) -> pa.Array:
        """The typed answers; null where there is a problem."""
        ...

    @property
    def problems(self) -> list[str | None]:
        """What is wrong with each text; None where it is valid."""
        ...

    @property
    def repairs(self) -> list[str | None]:
        """The name of what had to be done to each text to make it JSON; None where nothing had."""
        ...


class AnswerJudge(Protocol):
    """An answer schema; picklable, since worker processes use it too."""

    @property
    def arrow_type(self) -> pa.DataType | None:
        """The type of the answers; None where only JSON text can hold them."""
        ...

    def judge_texts(self, texts: pa.StringArray) -> JudgedTexts:
        """The verdict on each text."""
        ...


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is to be read from prediction lines.

    Attributes:
        key_name: The sibling of ``request`` that is the key; None where there is none.
        fingerprints: Of which lines the request is fingerprinted: of none, of those without a key, of all.
        keep_response: Whether the response is kept as JSON.
        with_siblings: Whether all siblings are kept.
        contents: What is read of the response beside the answer's text, as ``order_contents`` gives it.
        answer: What the answers are held against.

    Raises:
        UsageError: The key is named like a member that the service writes.
    """

    key_name: str | None = "key"
    fingerprints: Literal["none", "keyless", "all"] = "none"
    keep_response: bool = False
    with_siblings: bool = False
    contents: tuple[str, ...] = ()
    answer: AnswerJudge | None = None

    def __post_init__(self) -> None:
        if self.key_name in SERVICE_MEMBERS:
            raise UsageError(
                f"{self.key_name!r} cannot be the key: the service writes it", remedy="name a sibling of the request"
            )

    @property
    def answer_type(self) -> pa.DataType | None:
        """The type of the answers, None where nothing says what an answer is."""
        return self.answer.arrow_type if self.answer else None

    @property
    def schema(self) -> pa.Schema:
        """The schema of the decoded predictions."""
        schema = decoded_schema(
            self.answer_type,
            keep_response=self.keep_response,
            contents=self.contents,
            with_fingerprint=self.fingerprints != "none",
            with_siblings=self.with_siblings,
        )
        return schema.append(pa.field(REPAIR_COLUMN, pa.string())) if self.answer else schema
