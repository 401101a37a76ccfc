"""Specs to request lines: every way of doing it that was weighed, on one core.

python benchmarks/micro/encode.py [escapes|lines|templates] …

GB/s are bytes of prompt text in a second, the best of several interleaved rounds, in processor time, so that a busy
machine disturbs little. Each alternative's bytes are compared before it is timed.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jinja2
import msgspec
import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.requests import compile_requests
from geminate.stages.requests.escapes import escape_json
from geminate.stages.specs import Spec

TEXT = pa.large_string()
TOTAL_BYTES = 4_000_000
CELL_BYTES = (450, 1_900, 30_000)
ROUNDS = 15
SYLLABLES = [consonant + vowel for consonant in "bdklmnrst" for vowel in "aeio"]
FOREIGN = ("ä", "é", "—", "日本語", "😀", "Ω")


def make_texts(cell_bytes: int, escapes: float, foreign: float = 0.01) -> list[str]:
    """Texts of words, of which a share has quotes or ends a line and a share is not ASCII."""
    chance = random.Random(cell_bytes)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(500)]

    def iter_words() -> Iterator[str]:
        while True:
            word = chance.choice(words)
            if chance.random() < escapes * 5:
                word = chance.choice(('"{}"', "{}.\n", "{},\n")).format(word)
            yield chance.choice(FOREIGN) if chance.random() < foreign * 2 else word

    pool = " ".join(word for word, _ in zip(iter_words(), range(60_000), strict=False))
    starts = [chance.randrange(len(pool) - cell_bytes) for _ in range(TOTAL_BYTES // cell_bytes)]
    return [pool[start : start + cell_bytes] for start in starts]


def measure(ways: dict[str, Callable[[], Any]], size: int) -> None:
    """Prints GB/s for each way."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - start)
    for name, seconds in best.items():
        print(f"  {name:42s} {size / seconds / 1e9:6.2f} GB/s")


def by_replacement(column: pa.Array) -> pa.Array:
    for pattern, replacement in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        column = pc.replace_substring(column, pattern=pattern, replacement=replacement)
    return column


def by_polars_replacement(column: pa.Array) -> pa.Array:
    return pl.from_arrow(column).str.replace_many(["\\", '"', "\n"], ["\\\\", '\\"', "\\n"]).to_arrow()


def by_polars_json(column: pa.Array) -> pa.Array:
    frame = pl.DataFrame([pl.from_arrow(column).alias("t")])
    quoted = (
        frame.select(pl.struct("t").struct.json_encode()).to_series().to_arrow(compat_level=pl.CompatLevel.oldest())
    )
    return pc.binary_slice(quoted.view(pa.large_binary()), 6, -2).view(TEXT)


def by_bytes(column: pa.Array) -> pa.Array:
    offsets = np.frombuffer(column.buffers()[1], np.int64)
    values = np.frombuffer(column.buffers()[2], np.uint8)
    text = values.tobytes()
    assert text.count(b"\n") == np.count_nonzero(values < 32)
    for byte, escape in ((92, b"\\\\"), (34, b'\\"'), (10, b"\\n")):
        offsets = offsets + np.searchsorted(
            np.flatnonzero(values == byte), np.frombuffer(column.buffers()[1], np.int64)
        )
        text = text.replace(bytes([byte]), escape)
    return pa.LargeStringArray.from_buffers(len(column), pa.py_buffer(offsets), pa.py_buffer(text))


def by_msgspec(column: pa.Array) -> pa.Array:
    return pa.array([msgspec.json.encode(text)[1:-1] for text in column.to_pylist()], pa.large_binary()).view(TEXT)


def by_orjson(column: pa.Array) -> pa.Array:
    return pa.array([orjson.dumps(text)[1:-1] for text in column.to_pylist()], pa.large_binary()).view(TEXT)


ESCAPERS = {
    "ours: cut the values buffer, join again": escape_json,
    "polars struct.json_encode, sliced": by_polars_json,
    "polars str.replace_many": by_polars_replacement,
    "pyarrow replace_substring, a pass a byte": by_replacement,
    "bytes.replace, a pass a byte, new offsets": by_bytes,
    "msgspec.json.encode, a call a cell": by_msgspec,
    "orjson.dumps, a call a cell": by_orjson,
}


def bench_escapes() -> None:
    for cell_bytes in CELL_BYTES:
        for escapes in (0.0, 0.003, 0.013):
            column = pa.array(make_texts(cell_bytes, escapes), TEXT)
            values = column.buffers()[2].to_pybytes()
            share = sum(map(values.count, (b'"', b"\n", b"\\"))) / len(values)
            print(f"escapes: cells of {cell_bytes:,} bytes, {share:.1%} of them escaped")
            wanted = escape_json(column)
            for escaper in ESCAPERS.values():
                assert escaper(column).cast(TEXT).equals(wanted), escaper
            ways = {name: lambda f=f, c=column: f(c) for name, f in ESCAPERS.items()}
            measure(ways | {"(UTF-8 validation)": lambda c=column: c.validate(full=True)}, len(values))


REQUEST = {
    "systemInstruction": {"parts": [{"text": "You label customer messages."}]},
    "contents": [{"role": "user", "parts": [{"text": "{{ text }}"}]}],
    "generationConfig": {"temperature": 0, "maxOutputTokens": 256},
}


def bench_lines() -> None:
    for cell_bytes in CELL_BYTES:
        for escapes in (0.003, 0.013):
            prompts = pa.record_batch({"text": pa.array(make_texts(cell_bytes, escapes))})
            keys = pa.array([f"r-{row:09}" for row in range(len(prompts))])
            encoder = compile_requests(Spec("m", REQUEST), prompts.schema)

            def loop(dumps: Callable[[Any], bytes], prompts: pa.RecordBatch = prompts, keys: pa.Array = keys) -> bytes:
                lines = []
                for key, text in zip(keys.to_pylist(), prompts.column("text").to_pylist(), strict=True):
                    contents = [{"role": "user", "parts": [{"text": text}]}]
                    lines.append(dumps({"key": key, "request": {**REQUEST, "contents": contents}}))
                return b"\n".join(lines)

            size = prompts.column("text").nbytes
            print(f"lines: cells of {cell_bytes:,} bytes, about {escapes:.1%} of them escaped")
            lines = encoder.encode(prompts, keys).lines.buffers()[2].to_pybytes()
            assert lines == loop(orjson.dumps) + b"\n"
            ways = {
                "ours, checks included": lambda e=encoder, p=prompts, k=keys: e.encode(p, k),
                "orjson.dumps, a row at a time, no checks": lambda f=loop: f(orjson.dumps),
                "msgspec.json.encode, a row at a time": lambda f=loop: f(msgspec.json.encode),
            }
            measure(ways, size)


TEMPLATE = "{% if title %}Title: {{ title }}\n{% endif %}{% for tag in tags %}- {{ tag }}\n{% endfor %}Text: {{ text }}"


def bench_templates() -> None:
    for cell_bytes in CELL_BYTES:
        texts = make_texts(cell_bytes, 0.013)
        columns = {
            "title": ["a title", None] * (len(texts) // 2 + 1),
            "tags": [["one", "two"]] * len(texts),
            "text": texts,
        }
        prompts = pa.record_batch({name: column[: len(texts)] for name, column in columns.items()})
        keys = pa.array([f"r-{row:09}" for row in range(len(prompts))])
        encoder = compile_requests(Spec("m", {"contents": [{"parts": [{"text": TEMPLATE}]}]}), prompts.schema)
        template = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(TEMPLATE)

        def loop(prompts: pa.RecordBatch = prompts, keys: pa.Array = keys, template: Any = template) -> bytes:
            lines = []
            for key, row in zip(keys.to_pylist(), prompts.to_pylist(), strict=True):
                request = {"contents": [{"parts": [{"text": template.render(**row)}]}]}
                lines.append(json.dumps({"key": key, "request": request}, ensure_ascii=False, separators=(",", ":")))
            return "\n".join(lines).encode()

        print(f"templates: cells of {cell_bytes:,} bytes")
        assert encoder.encode(prompts, keys).lines.buffers()[2].to_pybytes() == loop() + b"\n"
        ways = {"ours": lambda e=encoder, p=prompts, k=keys: e.encode(p, k), "jinja2 and json.dumps": loop}
        measure(ways, prompts.column("text").nbytes)


if __name__ == "__main__":
    benches = {"escapes": bench_escapes, "lines": bench_lines, "templates": bench_templates}
    for name in sys.argv[1:] or benches:
        benches[name]()
