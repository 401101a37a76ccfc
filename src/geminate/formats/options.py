"""How a prompt set is read."""

from __future__ import annotations

from dataclasses import dataclass

from geminate.errors import UsageError
from geminate.formats.suffixes import FORMATS


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """What is read of a prompt set, and in what portions.

    ``where`` chooses first, then ``sample`` among the rows it left, then ``limit``. Input order is always kept.

    Attributes:
        columns: The names of the columns of CSV and TSV files that have no header line.
        input_format: The format of every file, whatever its name says: a suffix without the dot.
        limit: Only the first rows.
        sample: So many rows, each with the same chance; the same seed picks the same rows from the same prompts, and
            a greater number adds to them.
        seed: What the sample depends on.
        where: A SQL expression over the columns, in polars' dialect; rows for which it is true are kept.
        max_bytes_billed: The most that a BigQuery query may be billed for; one that would be billed is not run without.
        max_record_batch_bytes: The most a record batch holds, unless one row alone is larger.
        max_record_batch_rows: The most rows of a record batch.

    Raises:
        UsageError: A number is out of range, or the format is not one.
    """

    columns: tuple[str, ...] | None = None
    input_format: str | None = None
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    where: str | None = None
    max_bytes_billed: int | None = None
    max_record_batch_bytes: int = 4 * 1024 * 1024
    max_record_batch_rows: int = 65_536

    def __post_init__(self) -> None:
        if self.input_format is not None and self.input_format not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(f"{self.input_format!r} is no format of prompts", remedy=f"use one of {known}")
        for name, least in (
            ("limit", 0),
            ("sample", 0),
            ("max_bytes_billed", 0),
            ("max_record_batch_bytes", 1),
            ("max_record_batch_rows", 1),
        ):
            number = getattr(self, name)
            if number is not None and number < least:
                raise UsageError(f"{name} is {number}", remedy=f"use {least} or more")

    @property
    def selection(self) -> str:
        """Which rows are taken, in words; empty for all. Equal for options that take the same rows."""
        sample = f"{self.sample} at random from seed {self.seed}" if self.sample is not None else None
        chosen = {"where": self.where, "sample": sample, "limit": self.limit}
        return ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)
