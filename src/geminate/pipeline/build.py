"""Build: prompts and a spec become a run's folder, whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

import geminate
from geminate.errors import PromptError
from geminate.formats.line_files import iter_path_pieces
from geminate.formats.prompts import Prompts
from geminate.ledger import Attempt, Ledger
from geminate.pipeline.building.prompt_media import PromptMedia, Upload
from geminate.pipeline.building.request_tables import pass_columns
from geminate.pipeline.building.shard_lines import iter_encoded
from geminate.pipeline.building.templates import LineGuard, compile_spec, notes_on, refuse_unsound_shards
from geminate.pipeline.pace.overlap import iter_ahead
from geminate.pipeline.pace.progress import Notify, Progress, silent
from geminate.pipeline.run_folder.folder import (
    MANIFEST_FACT,
    MANIFEST_NAME,
    MEDIA_NAME,
    REJECT_COLUMN,
    SPEC_NAME,
    VIOLATIONS_NAME,
    FileRecord,
    Manifest,
    PromptsRecord,
    RunFolder,
    ShardRecord,
    SourceRecord,
    hash_file,
    open_synced,
)
from geminate.pipeline.run_folder.followers import NO_FOLLOWERS, Followers, FollowersFile
from geminate.pipeline.run_folder.new_folder import new_folder
from geminate.pipeline.run_folder.shard_files import ShardFiles
from geminate.stages.keys import KeyColumn, KeyRegister, choose_key, find_duplicate
from geminate.stages.requests import RequestEncoder
from geminate.stages.requests.media import MediaColumns
from geminate.stages.shards import ShardCutter, ShardLimits
from geminate.stages.specs import Spec
from geminate.wire.keys import encode_keys
from geminate.wire.limits import LIMITS
from geminate.wire.texts import mend
from geminate.wire.violations import Violation

# Room for what the service may add to a line when it copies the file.
_BYTES_MARGIN = 0.95


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a caller may settle about a build.

    Attributes:
        key: The column that holds the key, None for the contract's default.
        max_rows: Request lines a shard.
        max_shard_bytes: Bytes a shard.
        on_reject: Whether a prompt that breaks a rule becomes a ``rejected`` row, or stops the build.
        for_table: Whether the shards go into BigQuery tables, for which the importer's rules do not hold.
        upload: Where local media are stored; by default they go inline.
        dedupe: Whether equal requests are sent once, and their prompts share the prediction.
        keep_lines: Whether the request lines get files in the run's folder. Without, they are made again from its
            prompts when they are uploaded; those with media, and those for tables, are kept all the same.
    """

    key: str | None = None
    max_rows: int = LIMITS.max_requests_per_job
    max_shard_bytes: int = int(LIMITS.max_input_file_bytes * _BYTES_MARGIN)
    on_reject: Literal["keep", "fail"] = "keep"
    for_table: bool = False
    upload: Upload = field(default_factory=Upload)
    dedupe: bool = False
    keep_lines: bool = True


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One record batch on its way to the shard files."""

    prompts: pa.RecordBatch
    lines: pa.Array
    violations: list[Violation]


def build_run(
    prompts: Prompts, spec: Spec, run_path: Path, options: BuildOptions | None = None, notify: Notify = silent
) -> Manifest:
    """The manifest of the new run.

    The folder appears whole, or not at all: it is made under a hidden name and renamed. Prompts keep their order over
    the shards. Memory is that of a few record batches and eight bytes a prompt.

    Raises:
        InputError: A column of the prompts cannot go into a request table, where they are for one.
        PromptError: A prompt has no key, or two have the same; nothing could be joined to them.
        SpecError: The spec names a column the prompts lack, or its request breaks a rule for every prompt.
        TargetError: The folder exists.
    """
    options = options or BuildOptions()
    key = choose_key(prompts.schema, options.key)
    schema = key.extend_schema(prompts.schema)
    encoder = compile_spec(spec, schema, for_table=options.for_table)
    if options.for_table:
        pass_columns(schema, key.name)
    with new_folder(run_path) as folder:
        media = PromptMedia(spec, encoder, options.upload, prompts.locate, folder.emulator_path)
        builder = _Builder(prompts, key, encoder, options, notify)
        files = builder.write(folder, media)
        if not builder.rows:
            raise PromptError("there are no prompts", where=", ".join(source.uri for source in prompts.identity))
        spec_file = folder.write_json(SPEC_NAME, spec.to_document())
        violations_file = FileRecord(VIOLATIONS_NAME, hash_file(folder.path / VIOLATIONS_NAME))
        sources = tuple(SourceRecord(s.uri, s.size_bytes, s.crc32c) for s in prompts.identity)
        manifest = Manifest(
            geminate=geminate.__version__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            run_id=secrets.token_hex(6),
            model=spec.model,
            spec_fingerprint=spec.fingerprint,
            prompts=PromptsRecord(builder.rows, builder.rejected, prompts.selection, sources, builder.followers),
            key=key.name,
            key_generated=key.generated,
            notes=(*notes_on(spec, builder.rows, for_table=options.for_table), *media.notes),
            shards=tuple(files.shards),
            files=(spec_file, violations_file, *_write_objects(folder, media), *builder.side_files, *files.files),
            media=media.record,
            for_table=options.for_table,
        )
        written = folder.write_json(MANIFEST_NAME, manifest)
        facts = {"run_id": manifest.run_id, MANIFEST_FACT: written.sha256}
        Ledger.create(folder.path, facts, _first_attempts(manifest))
    return manifest


class _Builder:
    """One build's counts, and the prompts' way into files."""

    def __init__(
        self, prompts: Prompts, key: KeyColumn, encoder: RequestEncoder, options: BuildOptions, notify: Notify
    ) -> None:
        self._prompts = prompts
        self._key = key
        self._encoder = encoder
        self._options = options
        self._notify = notify
        self._register = KeyRegister()
        self._guard = LineGuard(for_table=options.for_table) if encoder.free_paths else None
        self.rows = 0
        self.rejected = 0
        self.followers = 0
        self.side_files: list[FileRecord] = []

    def write(self, folder: RunFolder, media: PromptMedia) -> ShardFiles:
        schema = self._key.extend_schema(self._prompts.schema)
        keep_lines = self._options.keep_lines or self._options.for_table or bool(self._encoder.media)
        files = ShardFiles(folder, schema, keep_lines=keep_lines)
        cutter = ShardCutter(ShardLimits(self._options.max_rows, self._options.max_shard_bytes))
        resolved = media.iter_resolved(iter_ahead(self._prompts.iter_record_batches()))
        blocks = closing(iter_ahead(self._iter_encoded(resolved)))
        followers = FollowersFile(folder) if self._options.dedupe else None
        violations_file = open_synced(folder.path / VIOLATIONS_NAME)
        with files, followers or nullcontext(), violations_file as violations, blocks as encoded:
            for block in encoded:
                files.write(cutter, block.prompts, followers.strip(block.lines) if followers else block.lines)
                self.rejected += block.lines.null_count
                for violation in block.violations:
                    violations.write(msgspec.json.encode(violation) + b"\n")
                self._notify(Progress("build", self.rows, None, "prompts"))
            # The disk is still at work.
            files.finish()
            self._refuse_duplicates(folder, files.shards)
            _ = self._prompts.identity
        if followers:
            self.followers, self.side_files = followers.count, [followers.record()]
        if self._guard and len(files.shards) > 1 and not self._options.for_table:
            refuse_unsound_shards(self._iter_lines(folder, files.shards, keep_lines=keep_lines))
        return files

    def _iter_lines(
        self, folder: RunFolder, shards: list[ShardRecord], *, keep_lines: bool
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """What each shard is called, and the bytes of its lines."""
        followers, first_row = Followers.load(folder) if self._options.dedupe else NO_FOLLOWERS, 0
        key = replace(self._key, generated=False)
        for shard in shards:
            path = folder.requests_path(shard.name)
            with pa.ipc.open_stream(folder.prompts_path(shard.name)) as prompts:
                encoded = iter_encoded(prompts, self._encoder, key, followers, first_row)
                yield path.name, iter_path_pieces(path) if keep_lines else encoded
            first_row += shard.prompts

    def _iter_encoded(self, resolved: Iterable[tuple[pa.RecordBatch, MediaColumns]]) -> Iterator[_Encoded]:
        for record_batch, media in resolved:
            first_row = self.rows
            prompts = self._key.extend(record_batch, first_row)
            keys = self._key.texts(prompts)
            if keys.null_count:
                self._refuse_keyless(first_row + pc.index(pc.is_null(keys), True).as_py())
            self._register.add(keys)
            block = self._encoder.encode(prompts, encode_keys(keys), media)
            if self._guard:
                block = self._guard.filter(block)
            violations = [
                self._place(violation, first_row + position, keys[position].as_py())
                for position, violation in block.violations
            ]
            if violations and self._options.on_reject == "fail":
                first = violations[0]
                raise PromptError(f"{first.rule}: {first.message}", where=f"{first.file}, row {first.line}")
            reasons = _reasons(block.violations, prompts.num_rows)
            self.rows += prompts.num_rows
            prompts = pa.RecordBatch.from_arrays(list(map(mend, prompts.columns)), schema=prompts.schema)
            yield _Encoded(prompts.append_column(REJECT_COLUMN, reasons), block.lines, violations)
        if self._guard:
            self._guard.finish()

    def _place(self, violation: Violation, row: int, key: str) -> Violation:
        file, line = self._prompts.locate(row)
        return replace(violation, file=file, line=line, key=key)

    def _where(self, row: int) -> str:
        file, line = self._prompts.locate(row)
        return f"{file}, row {line}"

    def _refuse_keyless(self, row: int) -> None:
        raise PromptError(
            f"the prompt has no key in column {self._key.name!r}, or one that is not UTF-8",
            where=self._where(row),
            remedy="fill it, or name another column with --key",
        )

    def _refuse_duplicates(self, folder: RunFolder, shards: list[ShardRecord]) -> None:
        candidates = self._register.candidate_rows()
        if not candidates:
            return
        found = find_duplicate(_iter_keys(folder, shards, self._key, candidates))
        if found is None:
            return
        first, second, key = found
        raise PromptError(
            f"the key {key!r} stands here and at {self._where(first)}",
            where=self._where(second),
            remedy="make the keys unique, name another column with --key, or rename the column to have keys generated",
        )


def _write_objects(folder: RunFolder, media: PromptMedia) -> list[FileRecord]:
    """The file that names the media in the store, if any are."""
    if not media.objects:
        return []
    path = folder.path / MEDIA_NAME
    with open_synced(path) as file:
        file.writelines(msgspec.json.encode(stored) + b"\n" for stored in media.objects)
    return [FileRecord(MEDIA_NAME, hash_file(path))]


def _iter_keys(
    folder: RunFolder, shards: list[ShardRecord], key: KeyColumn, rows: set[int]
) -> Iterator[tuple[int, str]]:
    row = 0
    for shard in shards:
        with pa.ipc.open_stream(folder.prompts_path(shard.name)) as reader:
            for record_batch in reader:
                texts = key.texts(record_batch)
                for position in range(record_batch.num_rows):
                    if row + position in rows:
                        yield row + position, texts[position].as_py()
                row += record_batch.num_rows


def _reasons(violations: list[tuple[int, Violation]], rows: int) -> pa.StringArray:
    if not violations:
        return pa.nulls(rows, pa.string())
    reasons: list[str | None] = [None] * rows
    for position, violation in violations:
        if reasons[position] is None:
            reasons[position] = f"{violation.message} ({violation.rule})"
    return pa.array(reasons, pa.string())


def _first_attempts(manifest: Manifest) -> list[Attempt]:
    return [
        Attempt(attempt_id=f"{manifest.run_id}-{shard.name}-1", shard=shard.name, number=1, state="planned")
        for shard in manifest.shards
        if shard.rows
    ]
