"""A spec made ready for a prompt set: compiled, its answer schema converted, all that does not vary checked once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import PromptError, SpecError
from geminate.pipeline.building.checked_lines import first_violation
from geminate.stages.checks import CheckOptions, RequestChecker, check_request
from geminate.stages.requests import RequestBlock, RequestEncoder, compile_requests, join_lines
from geminate.stages.specs import Spec, parse_text
from geminate.wire.limits import model_warning
from geminate.wire.lines import LineBlock
from geminate.wire.violations import Violation

if TYPE_CHECKING:
    from geminate.wire.answers import AnswerSchema, ConvertedSchema


def read_answer(spec: Spec) -> AnswerSchema | None:
    """The spec's answer schema, None where it has none.

    Raises:
        SpecError: It is not a JSON Schema, or one that no Gemini model understands.
    """
    if spec.answer is None:
        return None
    from geminate.wire.answers import AnswerSchema

    return AnswerSchema.from_source(spec.answer, where=spec.place("$.answer"))


def compile_spec(spec: Spec, schema: pa.Schema, *, for_table: bool = False) -> RequestEncoder:
    """What encodes prompts of this schema to request lines.

    Args:
        spec: What a request looks like.
        schema: The prompts' columns, the key among them.
        for_table: Whether the lines go into BigQuery tables, for which the importer's rules do not hold.

    Raises:
        SpecError: The spec uses a column that is not there, or its request breaks a rule whatever fills its slots.
    """
    converted = _convert_answer(spec, for_table=for_table)
    encoder = compile_requests(spec, schema, answer_settings=converted.generation_config if converted else None)
    if isinstance(encoder.request, dict):
        for violation in check_request(encoder.request, import_rules=not for_table, is_slot=_is_slot):
            raise SpecError(f"{violation.message} ({violation.rule})", where=spec.place(violation.path))
    return encoder


def notes_on(spec: Spec, rows: int, *, for_table: bool = False) -> tuple[str, ...]:
    """What its author should know, a sentence each: of the model, of so many equal requests, of the answer schema."""
    converted, warning = _convert_answer(spec, for_table=for_table), model_warning(spec.model)
    same = "the spec has no slot: every prompt sends the same request" if rows > 1 and not spec.columns else None
    notes = [f"answer schema: {note}" for note in (converted.notes if converted else ())]
    return (*filter(None, (warning, same)), *notes)


def _convert_answer(spec: Spec, *, for_table: bool) -> ConvertedSchema | None:
    """The answer schema as the service takes it, None where there is none."""
    answer = read_answer(spec)
    return answer.convert(spec.answer_form, spec.model, for_table=for_table) if answer else None


class LineGuard:
    """Checks whole lines where cells bring JSON of their own, and rejects those that break a rule.

    Args:
        for_table: Whether the lines go into BigQuery tables, for which the importer's rules do not hold.
    """

    def __init__(self, *, for_table: bool = False) -> None:
        self._checker = RequestChecker(CheckOptions(import_rules=not for_table, rejects=True, file_limits=False))
        self._name = "requests"

    def filter(self, block: RequestBlock) -> RequestBlock:
        """The block without the lines that break a rule by themselves."""
        present = pc.indices_nonzero(pc.is_valid(block.lines)).to_pylist()
        first = self._checker.line_count + 1
        found = self._checker.feed(LineBlock(bytes(join_lines(block.lines)), first), self._name)
        placed = [(present[violation.line - first], violation) for violation in found]
        if not placed:
            return block
        broken = {position for position, _ in placed}
        keep = pa.array([position not in broken for position in range(len(block.lines))])
        return RequestBlock(pc.if_else(keep, block.lines, None), [*block.violations, *placed])

    def finish(self) -> None:
        """Nothing.

        Raises:
            PromptError: The importer would refuse the set as a whole, and with it the job.
        """
        found: list[Violation] = self._checker.finish()
        if found:
            first = found[0]
            raise PromptError(
                f"the service would refuse the whole job: {first.message} ({first.rule})",
                where=f"request {first.line}, {first.path}",
                remedy="make the cells alike in all prompts",
            )


def refuse_unsound_shards(shards: Iterable[tuple[str, Iterator[bytes]]]) -> None:
    """Nothing, where each shard is sound by itself: a line may be so only beside others, which another shard has.

    Args:
        shards: What each one is called, and the bytes of its lines.

    Raises:
        PromptError: The importer would refuse one.
    """
    for name, pieces in shards:
        violation = first_violation(name, pieces, CheckOptions(file_limits=False))
        if violation is not None:
            raise PromptError(
                f"the service would refuse the job of a shard: {violation.message} ({violation.rule})",
                where=f"{violation.file}:{violation.line}, {violation.path}",
                remedy="make the cells alike in all prompts, or the shards larger",
            )


def _is_slot(text: str) -> bool:
    return any(not isinstance(piece, str) for piece in parse_text(text, ""))
