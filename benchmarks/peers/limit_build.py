"""The limit of a build: reads the same Parquet, writes as many bytes: ``PROMPTS.parquet BYTES OUT``."""

import sys
from pathlib import Path

import pyarrow.parquet as pq


def main() -> None:
    prompts, size, out = sys.argv[1:]
    file = pq.ParquetFile(prompts)
    left = int(size)
    share = left / max(file.metadata.num_rows, 1)
    Path(out).mkdir()
    with (Path(out) / "requests-00000.jsonl").open("wb", buffering=0) as target:
        for batch in file.iter_batches(batch_size=2_000):
            text = batch.column("text").buffers()[2]
            wanted = round(batch.num_rows * share)
            while wanted > 0:
                wanted -= target.write(memoryview(text)[:wanted])


if __name__ == "__main__":
    main()
