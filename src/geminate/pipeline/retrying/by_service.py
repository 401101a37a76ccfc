"""A retry by the service: a job over the output of the one before, which does what that one did not."""

from __future__ import annotations

from functools import partial

from geminate.errors import UsageError, counted
from geminate.formats.atomic import open_atomic
from geminate.formats.line_files import LineFile
from geminate.ledger import Attempt
from geminate.pipeline.collect import ShardJoin
from geminate.pipeline.predicted.predictions import UNFINISHED, iter_decoded
from geminate.pipeline.retrying.lines import iter_keyed_lines
from geminate.pipeline.retrying.planned import NotOk, Planned, RetryOptions
from geminate.pipeline.submitting.datasets import is_table
from geminate.pipeline.wait import job_of
from geminate.stages.reading import ReadOptions
from geminate.wire.jobs import RESUMABLE_STATES
from geminate.wire.keys import encode_keys
from geminate.wire.limits import LIMITS
from geminate.wire.outcomes import Outcome

_NO_RESPONSE = frozenset({"", "{}"})


def plan_resumption(shard: ShardJoin, not_ok: list[NotOk], options: RetryOptions, planned: Planned) -> None:
    """Nothing; the shard's next attempt is planned, if the service can go on with its last one.

    Its request lines in the run's folder are those that the service is to do; they are not uploaded, and say what the
    job will cost. The service keeps whatever was answered, and asks again whatever failed, be it for good. Memory is
    a flag for each line of the former output.
    """
    try:
        former, output = _find_former(shard)
        answered = _read_answered(output)
        _refuse_twice(answered, not_ok)
        lines = partial(shard.collector.lines.iter_blocks, former)
        wanted = {key for key, _ in iter_keyed_lines(lines()) if not answered.get(key)}
        helped = _count_helped(wanted, answered, not_ok)
    except UsageError as error:
        planned.refused[shard.record.name] = error.what
        return
    planned.leave(one for one in not_ok if one.key not in wanted)
    if planned.is_exhausted(shard, helped, options):
        return
    with open_atomic(shard.next_path, overwrite=True) as file:
        file.writelines(line + b"\n" for key, line in iter_keyed_lines(lines()) if key in wanted)
    planned.unlisted += sum(key not in answered for key in wanted)
    planned.add(shard, len(wanted), input_uri=output.name, resumes=former.attempt_id)


def _refuse_twice(answered: dict[str, bool], not_ok: list[NotOk]) -> None:
    """Nothing, where every line without an answer is of a prompt without one."""
    unpaid = {one.key for one in not_ok}
    twice = sum(key not in unpaid for key, is_answered in answered.items() if not is_answered)
    if twice:
        raise UsageError(f"it would ask again what has an answer, or is nobody's: {counted(twice, 'line')}")


def _count_helped(wanted: set[str], answered: dict[str, bool], not_ok: list[NotOk]) -> int:
    """How many prompts may succeed yet that are among those wanted."""
    helped = [one.key for one in not_ok if one.retryable and one.key in wanted]
    # An attempt that sends none of them again would count against how often they may be tried.
    if not any(key in answered for key in helped):
        raise UsageError("its last output shows nothing to do again that may still succeed")
    return len(helped)


def _find_former(shard: ShardJoin) -> tuple[Attempt, LineFile]:
    """The attempt whose output the service can go on from, and that."""
    former = next((attempt for attempt in reversed(shard.attempts) if attempt.job_name), None)
    if former is None:
        raise UsageError("it had no job")
    state, place = job_of(former).state, former.output_prefix_uri
    if state not in RESUMABLE_STATES:
        raise UsageError(f"its last job is {state}, and it goes on only with one that failed, was cancelled or expired")
    if shard.collector.manifest.for_table and not is_table(place):
        raise UsageError("it was built for tables, and its predictions lie where the importer's rules hold")
    files = shard.files(former)
    if not files:
        raise UsageError("its last job wrote no output")
    if len(files) > 1:
        raise UsageError(f"its last job wrote {len(files):,} files, and a job reads one")
    (output,) = files
    if UNFINISHED in output.name:
        raise UsageError("its last job left only what it wrote while it ran")
    size, most = output.size_bytes or 0, LIMITS.max_input_file_bytes
    if not is_table(place) and size > most:
        raise UsageError(f"its last job wrote {size:,} bytes, and a job reads at most {most:,}")
    return former, output


def _read_answered(output: LineFile) -> dict[str, bool]:
    """Whether each line of the output, by its key as it travels, has a response that the service keeps."""
    answered: dict[str, bool] = {}
    for decoded in iter_decoded([output], ReadOptions(keep_response=True)):
        predictions = decoded.predictions
        if decoded.unreadable or predictions.column("key").null_count:
            raise UsageError("its last output has lines that cannot be read, or have no key")
        keys = encode_keys(predictions.column("key")).to_pylist()
        outcomes, responses = predictions.column("outcome").to_pylist(), predictions.column("response").to_pylist()
        for key, outcome, response in zip(keys, outcomes, responses, strict=True):
            if key in answered:
                raise UsageError("its last output has several lines of one key, of which one might be done again")
            answered[key] = outcome != Outcome.FAILED.value and "".join((response or "").split()) not in _NO_RESPONSE
    return answered
