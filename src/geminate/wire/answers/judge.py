"""Answer texts read, judged by the schema, and typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from geminate.wire.answers.columns import MisfitError, build_array, plan_column, shape_value
from geminate.wire.answers.compiled import compile_decoder
from geminate.wire.answers.merge import Node
from geminate.wire.answers.repairs import REFUSALS, read_json

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

MAX_PROBLEM_CHARS = 300
"""A problem is one sentence, however long the answer."""

MAX_QUOTED_CHARS = 40
"""How much of a value a problem quotes."""


@dataclass(frozen=True, slots=True)
class JudgedTexts:
    """What became of answer texts, position by position.

    Attributes:
        answers: Typed answers; null where there was no text or it was refused.
        problems: Why a text was refused, as one sentence: where in the answer, and what. None where it was not.
        repairs: The name of the repair without which the text was not JSON, None where none was needed.
    """

    answers: pa.Array
    problems: list[str | None]
    repairs: list[str | None]


class Judge:
    """Judges texts by one schema; built once, used for any number of them.

    Args:
        validator: The schema's own validator, whose word is final.
        node: The schema's flat root.
    """

    def __init__(self, validator: Validator, node: Node) -> None:
        self.column = plan_column(node)
        self._validator = validator
        # An answer that is kept as JSON text is never needed typed.
        self._compiled = None if self.column.as_json else compile_decoder(node)

    def judge(self, texts: Sequence[str | None]) -> JudgedTexts:
        """Every text's answer, problem and repair; nothing that a text holds raises."""
        problems: list[str | None] = [None] * len(texts)
        repairs: list[str | None] = [None] * len(texts)
        typed, typed_at, doubtful = self._decode(texts)
        shaped: list[Any] = []
        shaped_at: list[int] = []
        for at, text in doubtful:
            try:
                value, json_text, repairs[at] = read_json(text)
                again = self._decode([json_text])[0] if repairs[at] else []
                if not again:
                    shaped.append(self.shape(value, json_text))
            except ValueError as error:
                problems[at] = str(error)
                continue
            typed += again
            (typed_at if again else shaped_at).append(at)
        answers = pa.concat_arrays([build_array(typed, self.column), pa.array(shaped, self.column.type)])
        return JudgedTexts(_in_order(answers, typed_at + shaped_at, len(texts)), problems, repairs)

    def shape(self, value: Any, text: str) -> Any:
        """A decoded value as ``pa.array`` takes it.

        Args:
            value: The value.
            text: The JSON text that it is of.

        Raises:
            ValueError: The schema does not allow it, or the column cannot hold it; the message is one sentence.
        """
        from jsonschema.exceptions import best_match

        try:
            error = best_match(self._validator.iter_errors(value))
            problem = f"{error.json_path}: {_reason(error)}" if error else None
            if problem is None and not self.column.as_json:
                return shape_value(value, self.column)
        except RecursionError:
            problem = "$: it nests too deeply"
        except MisfitError as misfit:
            problem = str(misfit)
        if problem is not None:
            raise ValueError(_clip(problem, MAX_PROBLEM_CHARS))
        return None if value is None else text

    def _decode(self, texts: Sequence[str | None]) -> tuple[list[Any], list[int], list[tuple[int, str]]]:
        """Answers that the compiled decoder takes, their positions, and the texts to look at closely with theirs."""
        present = [(at, text) for at, text in enumerate(texts) if text is not None]
        if self._compiled is None:
            return [], [], present
        decode, typed, typed_at, doubtful = self._compiled.decode, [], [], []
        for at, text in present:
            try:
                typed.append(decode(text))
                typed_at.append(at)
            except REFUSALS:
                doubtful.append((at, text))
        return typed, typed_at, doubtful


def _in_order(answers: pa.Array, positions: list[int], length: int) -> pa.Array:
    if len(positions) == length and all(at == position for at, position in enumerate(positions)):
        return answers
    order = np.full(length, -1)
    order[positions] = np.arange(len(positions))
    return answers.take(pa.array(order, mask=order < 0))


def _reason(error: ValidationError) -> str:
    """What the validator says, with the value in JSON's words and no longer than a quotation."""
    quoted = repr(error.instance)
    if not error.message.startswith(quoted):
        return error.message
    return _clip(msgspec.json.encode(error.instance).decode(), MAX_QUOTED_CHARS) + error.message[len(quoted) :]


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
