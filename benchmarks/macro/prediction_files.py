"""Prediction files as Vertex AI has written them since 2025-12, shuffled, with the prompts that they answer.

Of the prompts 1 % failed, 0.5 % were blocked, 0.2 % ran into MAX_TOKENS, 0.1 % came back empty, 0.1 % never came and
0.1 % came twice; 5 % of the answers begin with a thought and 3 % are split over two parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from macro.prompt_sets import CATEGORIES, GENERATION, SYSTEM, iter_spans, make_key
from macro.texts import Composer

SCHEMA = pa.schema([("key", pa.string()), ("text", pa.string()), ("label", pa.string())])

# What befell a prompt, by its share of the whole; the rest are plain good answers.
_SHARES = {
    "failed": 0.010,
    "blocked_prompt": 0.0025,
    "blocked_answer": 0.0025,
    "cut": 0.0015,
    "cut_in_thought": 0.0005,
    "empty": 0.001,
    "missing": 0.001,
    "doubled": 0.0005,
    "failed_then_good": 0.0005,
    "thought": 0.05,
    "split": 0.03,
}
_ROWS_PER_ORPHAN = 2_000

_STATUSES = tuple(
    f"{words}: " + orjson.dumps({"error": {"code": code, "message": message, "status": name}}).decode()
    for words, code, message, name in (
        ("Bad Request", 400, "Please use a valid role: user, model.", "INVALID_ARGUMENT"),
        ("RESOURCE_EXHAUSTED error occurred", 429, 'Quota "online" exceeded.\nTry again.', "RESOURCE_EXHAUSTED"),
        ("DEADLINE_EXCEEDED", 4, "The deadline passed — try again.", "DEADLINE_EXCEEDED"),
    )
)
_ESCAPED_STATUSES = tuple(orjson.dumps(status)[1:-1] for status in _STATUSES)
_THOUGHT = b'{"text":"The message names a thing and what befell it; the label follows from the verb.","thought":true},'


class Sizes(NamedTuple):
    """Mean bytes of the echoed prompt's text and of the answer's text."""

    prompt_bytes: int
    answer_bytes: int


class _Row(NamedTuple):
    key: bytes
    prompt: bytes
    answer: tuple[bytes, ...]
    number: int


def write_prediction_file(folder: Path, rows: int, sizes: Sizes) -> None:
    """Writes ``prompts.parquet`` in input order and ``predictions.jsonl`` in another."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts = Composer(rows, sizes.prompt_bytes, seed=4)
    answers = Composer(rows, sizes.answer_bytes, seed=5)
    _write_prompts(folder / "prompts.parquet", prompts, rows, sizes.prompt_bytes)
    with (folder / "predictions.jsonl").open("wb", buffering=1 << 20) as file:
        for lines in _iter_lines(rows, prompts, answers):
            file.writelines(lines)


def _write_prompts(path: Path, prompts: Composer, rows: int, mean_bytes: float) -> None:
    labels = pa.array(CATEGORIES)
    state = np.random.RandomState(6)
    with pq.ParquetWriter(path, SCHEMA, compression="snappy") as writer:
        for span in iter_spans(rows, mean_bytes):
            columns = [
                pa.array([make_key(row) for row in span]),
                pa.array([prompts.text(row) for row in span]),
                labels.take(pa.array(state.randint(0, len(CATEGORIES), len(span)))),
            ]
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


def _iter_lines(rows: int, prompts: Composer, answers: Composer) -> Iterator[list[bytes]]:
    state = np.random.RandomState(7)
    order = state.permutation(rows)
    fates = _draw_fates(state, rows)
    late: list[bytes] = []
    for position, row in enumerate(order.tolist()):
        fate = fates[row]
        halves = answers.escaped_halves(row) if fate == "split" else (answers.escaped(row),)
        line = _Row(make_key(row).encode(), prompts.escaped(row), halves, row)
        yield _LINES[fate](line)
        if fate in _SECOND_LINES:
            late.append(_SECOND_LINES[fate](line))
        if position % _ROWS_PER_ORPHAN == 0:
            late.append(_good(line._replace(key=b"orphan-%d" % row)))
        if late and position % 1000 == 999:
            yield late
            late = []
    yield late


def _draw_fates(state: np.random.RandomState, rows: int) -> list[str]:
    names = ["good", *_SHARES]
    draws = np.searchsorted(np.cumsum(list(_SHARES.values())), state.random_sample(rows), side="right")
    return [names[(draw + 1) % len(names)] for draw in draws.tolist()]


def _line(row: _Row, response: bytes, status: bytes = b"") -> bytes:
    seconds, millis = divmod(row.number * 37, 1000)
    return (
        b'{"key":"%b",%b%b%b"status":"%b","response":{%b},"processed_time":"2026-04-08T%02d:%02d:%02d.%03d+00:00"}\n'
        % (
            row.key,
            _ECHO_HEAD,
            row.prompt,
            _ECHO_TAIL,
            status,
            response,
            seconds // 3600 % 24,
            seconds // 60 % 60,
            seconds % 60,
            millis,
        )
    )


def _response(row: _Row, candidates: bytes, answer_tokens: int, rest: bytes = b"") -> bytes:
    prompt_tokens = 60 + len(row.prompt) // 4
    return (
        b'%b"createTime":"2026-04-08T23:10:34.277740Z","modelVersion":"gemini-3.5-flash@default",%b"responseId":"auDW%012dP8Oe1wQU",'
        b'"usageMetadata":{%b"promptTokenCount":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}],'
        b'"totalTokenCount":%d,"trafficType":"ON_DEMAND"}'
    ) % (
        candidates,
        rest,
        row.number,
        b'"candidatesTokenCount":%d,"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":%d}],'
        % (answer_tokens, answer_tokens)
        if answer_tokens
        else b"",
        prompt_tokens,
        prompt_tokens,
        prompt_tokens + answer_tokens,
    )


def _candidate(row: _Row, content: bytes, reason: bytes) -> bytes:
    return b'"candidates":[{"avgLogprobs":-0.%06d,%b"finishReason":"%b"}],' % (row.number % 999_983, content, reason)


def _answered(row: _Row, parts: bytes, reason: bytes = b"STOP") -> bytes:
    content = b'"content":{"parts":[%b],"role":"model"},' % parts
    return _line(row, _response(row, _candidate(row, content, reason), 1 + len(parts) // 4))


def _good(row: _Row) -> bytes:
    return _answered(row, b'{"text":"%b"}' % row.answer[0])


def _failed(row: _Row) -> bytes:
    return _line(row, b"", _ESCAPED_STATUSES[row.number % len(_ESCAPED_STATUSES)])


def _blocked_prompt(row: _Row) -> bytes:
    feedback = b'"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},'
    return _line(row, _response(row, b"", 0, feedback))


_ECHO_HEAD = b'"request":{"contents":[{"parts":[{"text":"'
_ECHO_TAIL = b'"}],"role":"user"}],"generationConfig":%b,"systemInstruction":{"parts":[{"text":"%b"}]}},' % (
    orjson.dumps(GENERATION),
    orjson.dumps(SYSTEM)[1:-1],
)

_LINES: dict[str, Callable[[_Row], list[bytes]]] = {
    "good": lambda row: [_good(row)],
    "failed": lambda row: [_failed(row)],
    "blocked_prompt": lambda row: [_blocked_prompt(row)],
    "blocked_answer": lambda row: [_line(row, _response(row, _candidate(row, b"", b"SAFETY"), 0))],
    "cut": lambda row: [_answered(row, b'{"text":"%b"}' % row.answer[0], b"MAX_TOKENS")],
    "cut_in_thought": lambda row: [_line(row, _response(row, _candidate(row, b"", b"MAX_TOKENS"), 0))],
    "empty": lambda row: [_answered(row, b'{"text":""}')],
    "missing": lambda _: [],
    "doubled": lambda row: [_good(row)],
    "failed_then_good": lambda row: [_failed(row)],
    "thought": lambda row: [_answered(row, _THOUGHT + b'{"text":"%b"}' % row.answer[0])],
    "split": lambda row: [_answered(row, b'{"text":"%b"},{"text":"%b"}' % row.answer)],
}
_SECOND_LINES: dict[str, Callable[[_Row], bytes]] = {"doubled": _good, "failed_then_good": _good}
