"""The request lines of a run's attempts: from its folder, from the store, or made again from its prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, islice

import google_crc32c
import pyarrow as pa
import pyarrow.compute as pc

from geminate.errors import InputError
from geminate.formats.line_files import iter_path_pieces
from geminate.ledger import Attempt
from geminate.pipeline.building.templates import compile_spec
from geminate.pipeline.building.uploads import Bytes
from geminate.pipeline.run_folder.folder import REJECT_COLUMN, SPEC_NAME, Manifest, RunFolder, ShardRecord
from geminate.pipeline.run_folder.followers import Followers
from geminate.ports import ObjectInfo, ObjectStore
from geminate.stages.keys import KeyColumn
from geminate.stages.requests import RequestEncoder, join_lines
from geminate.stages.specs import Spec
from geminate.wire.keys import encode_keys
from geminate.wire.lines import LineBlock, iter_line_blocks

_STEP_BYTES = 1024 * 1024  # Several shards are made at once, and each step takes a few times as much.
_REMEDY = "build the run anew; with --spool its lines stay in the run's folder"


@dataclass(frozen=True, slots=True)
class ShardLines:
    """Reads the request lines of a run, wherever they are.

    Those of a shard that has no file in the run's folder are read from the object that was uploaded, pinned to its
    generation; where there is none any more, or none yet, they are made again from the shard's prompts.

    Attributes:
        folder: The run's folder.
        manifest: Its manifest.
        store: Where its objects are; None to do without.
    """

    folder: RunFolder
    manifest: Manifest
    store: ObjectStore | None = None

    def iter_blocks(self, attempt: Attempt) -> Iterator[LineBlock]:
        """The lines of an attempt, a few MiB at a time.

        Raises:
            InputError: They are nowhere, and cannot be made again as they were.
        """
        yield from iter_line_blocks(self.iter_pieces(attempt))

    def iter_pieces(self, attempt: Attempt) -> Iterator[bytes]:
        """The bytes of an attempt's lines, a few MiB at a time, as they were when the run was built.

        Raises:
            InputError: They are nowhere, and cannot be made again as they were.
        """
        path = self.folder.requests_path(attempt.shard, attempt.number)
        if path.exists() or attempt.number > 1:
            return iter_path_pieces(path)
        return self._read_object(attempt) or self.make_again(self.record(attempt))

    def bytes_of(self, attempt: Attempt) -> Bytes:
        """The bytes of an attempt's lines, to be had as often as they are needed."""
        path = self.folder.requests_path(attempt.shard, attempt.number)
        if path.exists() or attempt.number > 1:
            return Bytes(partial(iter_path_pieces, path), path.stat().st_size, None)
        record = self.record(attempt)
        return Bytes(partial(self.make_again, record), record.size_bytes, record.crc32c)

    def record(self, attempt: Attempt) -> ShardRecord:
        """What the manifest says of the shard of an attempt."""
        return next(shard for shard in self.manifest.shards if shard.name == attempt.shard)

    def make_again(self, record: ShardRecord) -> Iterator[bytes]:
        """The bytes of a shard's lines, made from its prompts.

        If they are not those of the build, an error follows the last one, so that no object of them comes to be.

        Raises:
            InputError: The lines are not as they were.
        """
        spec = Spec.from_document(self.folder.read_json(SPEC_NAME))
        followers = Followers.read(self.folder, self.manifest)
        firsts = accumulate((shard.prompts for shard in self.manifest.shards), initial=0)
        first = next(row for shard, row in zip(self.manifest.shards, firsts, strict=False) if shard.name == record.name)
        key = KeyColumn(self.manifest.key, generated=False)
        # Opened by its name the file would be mapped, and all of it count as our memory.
        with pa.OSFile(str(self.folder.prompts_path(record.name))) as file, pa.ipc.open_stream(file) as prompts:
            schema = prompts.schema.remove(prompts.schema.get_field_index(REJECT_COLUMN))
            encoder = compile_spec(spec, schema, for_table=self.manifest.for_table)
            size_bytes = crc32c = 0
            for piece in [] if encoder.media else iter_encoded(prompts, encoder, key, followers, first):
                crc32c = google_crc32c.extend(crc32c, piece)
                size_bytes += len(piece)
                yield piece
        if (size_bytes, crc32c) != (record.size_bytes, record.crc32c):
            where = str(self.folder.requests_path(record.name))
            raise InputError("gone, and the lines do not come out again as they were", where=where, remedy=_REMEDY)

    def _read_object(self, attempt: Attempt) -> Iterator[bytes] | None:
        """The object's bytes, None where there is none."""
        if self.store is None or not attempt.input_generation:
            return None
        record = self.record(attempt)
        info = ObjectInfo(attempt.input_uri, record.size_bytes, attempt.input_generation, record.crc32c)
        pieces = self.store.read(info)
        try:
            begun = list(islice(pieces, 1))
        except InputError:  # Somebody, or a rule of the bucket, has removed it.
            return None
        return chain(begun, pieces)


def iter_encoded(
    prompts: pa.RecordBatchReader, encoder: RequestEncoder, key: KeyColumn, followers: Followers, first_row: int
) -> Iterator[bytes]:
    """The request lines of a shard's prompts but for the rejected ones and the followers, about a MiB at a time.

    Args:
        prompts: The shard's prompts as they lie in the run's folder.
        encoder: What encodes them.
        key: Their key.
        followers: The run's prompts whose request another has.
        first_row: The row of the shard's first prompt in the run.
    """
    for record_batch in prompts:
        rejects = followers.mark(record_batch.column(REJECT_COLUMN), first_row)
        first_row += record_batch.num_rows
        sent = record_batch.filter(pc.is_null(rejects)).drop_columns([REJECT_COLUMN])
        step = sent.num_rows * _STEP_BYTES // max(sent.nbytes, 1) + 1
        for start in range(0, sent.num_rows, step):
            some = sent.slice(start, step)
            yield bytes(join_lines(encoder.encode(some, encode_keys(key.texts(some))).lines))
