"""Collect: every prediction of a run back to its prompt, shard by shard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import InputError, UsageError, counted
from geminate.formats.line_files import LineFile
from geminate.formats.record_spool import RecordSpool
from geminate.ledger import OVER, Attempt, Ledger
from geminate.pipeline.building.opening import DEFAULT_STORES
from geminate.pipeline.building.shard_lines import ShardLines
from geminate.pipeline.building.templates import read_answer
from geminate.pipeline.pace.progress import Notify, silent
from geminate.pipeline.predicted.prediction_tables import open_prediction_table
from geminate.pipeline.predicted.predictions import find_predictions, iter_decoded
from geminate.pipeline.run_folder.folder import REJECT_COLUMN, SPEC_NAME, Manifest, RunFolder, ShardRecord
from geminate.pipeline.run_folder.followers import Followers
from geminate.pipeline.submitting.datasets import is_table
from geminate.pipeline.wait import job_of
from geminate.pipeline.written.claims import make_claim, sweep_claim
from geminate.pipeline.written.fan_out import fan_out
from geminate.pipeline.written.media import open_media_folder, with_media_files
from geminate.pipeline.written.output_tables import check_output, write_joined_table
from geminate.pipeline.written.outputs import Joined, OnStray, OpenRows, OutputOptions, RowStream, write_joined
from geminate.ports import ObjectStore, TableStore
from geminate.stages.contents import order_contents
from geminate.stages.join import Joiner, JoinOptions
from geminate.stages.keys import KEY_COLUMN, KeyColumn
from geminate.stages.reading import ReadOptions
from geminate.stages.report import JoinReport
from geminate.stages.rows import joined_schema
from geminate.stages.specs import Spec
from geminate.wire.answers import AnswerSchema
from geminate.wire.canonical import fingerprint
from geminate.wire.tables import DEFAULT_PREFIX, FINGERPRINT_TYPE


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """How a run is collected.

    Attributes:
        prefix: What the added columns begin with.
        keep_response: Whether the raw response is kept.
        output: How the output is written.
        content: What is read of the responses beside the answers' text, as in ``JoinSettings``.
        media: The folder that inline data goes to; None leaves it in the predictions.

    Raises:
        UsageError: There is no such content.
    """

    prefix: str = DEFAULT_PREFIX
    keep_response: bool = False
    output: OutputOptions = field(default_factory=OutputOptions)
    content: Collection[str] = ()
    media: str | Path | None = None

    def __post_init__(self) -> None:
        order_contents(self.content)

    def check(self, out: str | Path, prompts: pa.Schema) -> None:
        """Nothing, where rows and media can be written beside these prompts; to be asked before any work is done.

        Raises:
            TargetError: The output exists.
            UsageError: A column of the prompts has the name of one that is to be added.
        """
        check_output(out, self.output)
        joined_schema(prompts, self.reading(None), self.prefix)
        if self.media is not None:
            open_media_folder(self.media, None)

    def reading(self, answer: AnswerSchema | None) -> ReadOptions:
        """What is read of each prediction."""
        contents = order_contents(self.content, with_media=self.media is not None)
        return ReadOptions(keep_response=self.keep_response, contents=contents, answer=answer)

    @property
    def columns(self) -> str:
        """What shapes the joined rows, as text: equal for options that give the same rows."""
        return f"{self.prefix} {self.keep_response} {order_contents(self.content)} {self.media}"


@dataclass(frozen=True, slots=True)
class Collector:
    """What collecting needs, gathered once for a run."""

    folder: RunFolder
    manifest: Manifest
    ledger: Ledger
    store: ObjectStore
    options: CollectOptions
    tables: Callable[[], TableStore] = DEFAULT_STORES.tables

    @property
    def lines(self) -> ShardLines:
        """The run's request lines."""
        return ShardLines(self.folder, self.manifest, self.store)

    def collect(self, out: str | Path, notify: Notify = silent) -> Joined:
        """The output's counts.

        Every attempt that had a job is read, however it ended: an expired job may hold finished rows. Prompts without a
        prediction are ``missing``. Memory is that of one shard's decoded predictions, at most.

        Raises:
            InputError: A job succeeded, and its output is not there.
            TargetError: The output exists.
            UsageError: Nothing was submitted, or jobs are still running.
        """
        shards = self.shard_joins()
        sweep_claim(self.ledger)
        self.options.check(out, shards[0].prompts_schema())
        if is_table(str(out)):
            load_id = f"geminate-rows-{self.manifest.run_id}-{self._fingerprint(str(out))}"
            return write_joined_table(self._open_rows(shards), str(out), self.tables(), load_id, notify)
        publishing = partial(make_claim, self.ledger, self.options.columns)
        return write_joined(self._open_rows(shards), out, self.options.output, notify, publishing)

    def _fingerprint(self, out: str) -> str:
        """What tells one output of the run from another: where it goes, its columns, its attempts."""
        attempts = [attempt.attempt_id for attempt in self.ledger.attempts()]
        return hashlib.sha256(repr((out, self.options.columns, attempts)).encode()).hexdigest()[:16]

    def shard_joins(self) -> list[ShardJoin]:
        """The joins of all shards, in order.

        Raises:
            UsageError: Nothing was submitted, or jobs are still running.
        """
        attempts = self.ledger.attempts()
        running = [attempt for attempt in attempts if attempt.state not in OVER]
        if running:
            raise UsageError(
                f"{len(running):,} of {counted(len(attempts), 'job')} not ended",
                where=str(self.folder.path),
                remedy="run geminate submit and geminate wait first",
            )
        spec = Spec.from_document(self.folder.read_json(SPEC_NAME))
        options = JoinOptions(reading=self.options.reading(read_answer(spec)), prefix=self.options.prefix)
        followers = Followers.read(self.folder, self.manifest)
        firsts = accumulate((record.prompts for record in self.manifest.shards), initial=0)
        return [
            ShardJoin(self, record, [a for a in attempts if a.shard == record.name], options, followers, first)
            for record, first in zip(self.manifest.shards, firsts, strict=False)
        ]

    def _open_rows(self, shards: list[ShardJoin]) -> OpenRows:
        followers = shards[0].followers

        def open_rows(on_stray: OnStray) -> RowStream:
            report = JoinReport()
            rows = (record_batch for shard in shards for record_batch in shard.iter_rows(on_stray, report))
            stream = RowStream(shards[0].schema(), report, rows)
            if not followers:
                return stream
            return fan_out(stream, followers, len(shards[0].prompts_schema()), self.options.prefix)

        if self.options.media is None:
            return open_rows
        folder = open_media_folder(self.options.media, self.manifest.key)
        return with_media_files(open_rows, folder, self.options.prefix)


@dataclass(frozen=True, slots=True)
class ShardJoin:
    """One shard's join: its prompts, and the predictions of all its attempts.

    Attributes:
        collector: Whose it is.
        record: The shard.
        attempts: Its attempts.
        options: How it is joined.
        followers: The run's prompts whose request was not sent again; here they are as if rejected.
        first_row: The row of the shard's first prompt in the run.
    """

    collector: Collector
    record: ShardRecord
    attempts: list[Attempt]
    options: JoinOptions
    followers: Followers
    first_row: int

    @property
    def next_number(self) -> int:
        """The number of the next attempt."""
        return len(self.attempts) + 1

    @property
    def next_path(self) -> Path:
        """Where the next attempt's request lines lie."""
        return self.collector.folder.requests_path(self.record.name, self.next_number)

    def schema(self) -> pa.Schema:
        """The schema of the joined rows."""
        return joined_schema(self.prompts_schema(), self.options.reading, self.options.prefix)

    def iter_rows(self, on_stray: OnStray, report: JoinReport) -> Iterator[pa.RecordBatch]:
        """The joined rows in input order; their counts are added to the report at the end."""
        found = [(attempt, file) for attempt in self.attempts for file in self.files(attempt)]
        options = self._with_fallback([file for _, file in found])
        with RecordSpool() as spool:
            joiner = Joiner(self.prompts_schema(), options, spool, on_stray)
            self._add_prompts(joiner, with_fingerprints=options.reading.fingerprints != "none")
            for attempt, file in found:
                for decoded in iter_decoded([file], options.reading):
                    joiner.add_predictions(decoded, attempt.number, attempt.job_name, resumes=bool(attempt.resumes))
            yield from joiner.iter_rows()
        _add(report, joiner.report)

    def has_keys(self) -> bool:
        """Whether the service gave the prompts' keys back, so that predictions need not be known by their request."""
        return self._with_fallback([file for attempt in self.attempts for file in self.files(attempt)]) is self.options

    def files(self, attempt: Attempt) -> list[LineFile]:
        """The attempt's output; none where it had no job, or one that did not succeed and wrote none."""
        if not attempt.job_name:
            return []
        place = attempt.output_prefix_uri
        try:
            if is_table(place):
                return [open_prediction_table(place, self.collector.tables(), KEY_COLUMN)]
            return find_predictions([f"{place}/"], lambda: self.collector.store, self.collector.tables)
        except InputError:
            # A job that failed or expired may have written nothing, and its prompts are missing. One that succeeded
            # has paid output somewhere, which must not be passed off as rows that never came.
            if job_of(attempt).succeeded:
                raise
            return []

    def _with_fallback(self, files: list[LineFile]) -> JoinOptions:
        """The options; predictions are known by their request where the service did not give the keys back."""
        for file in files:
            first = next(iter_decoded([file], self.options.reading), None)
            if first is not None and first.predictions.column("key").null_count:
                return replace(self.options, reading=replace(self.options.reading, fingerprints="keyless"))
        return self.options

    def _add_prompts(self, joiner: Joiner, *, with_fingerprints: bool) -> None:
        key = KeyColumn(self.collector.manifest.key, generated=False)
        prints = self._iter_fingerprints()
        row = self.first_row
        with pa.ipc.open_stream(self._prompts_path()) as reader:
            for record_batch in reader:
                rejects = self.followers.mark(record_batch.column(REJECT_COLUMN), row)
                row += record_batch.num_rows
                prompts = record_batch.drop_columns([REJECT_COLUMN])
                sent = pc.is_null(rejects).to_pylist()
                fingerprints = (
                    pa.array([next(prints) if is_sent else None for is_sent in sent], FINGERPRINT_TYPE)
                    if with_fingerprints
                    else None
                )
                joiner.add_prompts(prompts, key.texts(prompts), fingerprints, rejects)

    def _iter_fingerprints(self) -> Iterator[bytes | None]:
        for block in self.collector.lines.iter_blocks(self.attempts[0]):
            for line in block.lines:
                yield fingerprint(msgspec.json.decode(line, type=_RequestLine).request)

    def prompts_schema(self) -> pa.Schema:
        """The schema of the prompts' own columns, the key among them."""
        with pa.ipc.open_stream(self._prompts_path()) as reader:
            schema: pa.Schema = reader.schema
        return schema.remove(schema.get_field_index(REJECT_COLUMN))

    def _prompts_path(self) -> Path:
        return self.collector.folder.prompts_path(self.record.name)


class _RequestLine(msgspec.Struct):
    request: msgspec.Raw


def _add(total: JoinReport, part: JoinReport) -> None:
    for name in JoinReport.__dataclass_fields__:
        value = getattr(part, name)
        setattr(total, name, getattr(total, name) + value)
