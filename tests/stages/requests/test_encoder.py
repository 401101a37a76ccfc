import json
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geminate.stages.requests import compile_requests
from geminate.stages.specs import Spec

FIXTURES = Path(__file__).parents[3] / "fixtures" / "specs"

HOSTILE = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from('"\\\n\r\t\b\f\0\x1f\x7f\x85\u2028\u202e\ufeff😀{}%#')),
    min_size=1,
) | st.sampled_from(["{{ text }}", "{% if x %}", "{{ '{{' }}", "</script>", "null", "\\u0000", '"}]}]}}', "$.a"])
NOT_A_SLOT = HOSTILE.filter(lambda text: not any(mark in text for mark in ("{", "}")))


def request(text, **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def encode(spec, prompts, **more):
    keys = prompts.column("key") if "key" in prompts.schema.names else pa.array(map("k{}".format, range(len(prompts))))
    return compile_requests(spec, prompts.schema, **more).encode(prompts, keys)


def rows_of(**columns):
    return pa.RecordBatch.from_pydict(columns)


def rules_of(block):
    return [(row, violation.rule) for row, violation in block.violations]


CASES = sorted(path.name.removesuffix(".requests.jsonl") for path in FIXTURES.glob("*.requests.jsonl"))


@pytest.mark.parametrize("name", CASES)
def test_the_fixtures_make_their_request_lines(name):
    rows = map(json.loads, (FIXTURES / f"{name}.prompts.jsonl").read_bytes().splitlines())
    block = encode(Spec.load(FIXTURES / f"{name}.yaml"), pa.RecordBatch.from_pylist(list(rows)))
    assert block.violations == []
    assert "".join(block.lines.to_pylist()).encode() == (FIXTURES / f"{name}.requests.jsonl").read_bytes()


def fill(value, row):
    """What a request is with a row's cells in place, done the plain way."""
    if isinstance(value, str):
        for name, cell in row.items():
            value = value.replace(f"\0{name}\0", cell)
        return value
    if isinstance(value, dict):
        return {name: fill(member, row) for name, member in value.items()}
    return [fill(element, row) for element in value] if isinstance(value, list) else value


@st.composite
def cases(draw):
    """A spec's strings, once with slots and once with marks that no cell holds, and rows."""
    names = draw(st.lists(st.sampled_from(["text", "größe", "user id", "a-b"]), min_size=1, unique=True))
    strings = draw(
        st.lists(st.lists(st.sampled_from(names) | NOT_A_SLOT.map(lambda text: (text,)), min_size=1), min_size=1)
    )
    marked = [
        "".join(f"\0{piece}\0" if isinstance(piece, str) else piece[0].replace("\0", "") for piece in pieces)
        for pieces in strings
    ]
    cell = HOSTILE.map(lambda text: text.replace("\0", "\1"))
    rows = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(["key", *names], cell)), min_size=1, max_size=5))
    return marked, rows


@settings(max_examples=200)
@given(cases(), st.sampled_from(["", "{% if true %}{% endif %}", "{% set whole = 1 %}"]))
def test_lines_are_those_of_encoding_row_by_row(case, ending):
    marked, rows = case
    parts = [{"text": text} for text in marked]
    slots = json.loads(json.dumps(parts))
    for part in slots:
        pieces = part["text"].split("\0")
        part["text"] = "".join(f"{{{{ columns['{piece}'] }}}}" if at % 2 else piece for at, piece in enumerate(pieces))
        part["text"] += ending
    block = encode(Spec("m", {"contents": [{"parts": slots}]}), pa.RecordBatch.from_pylist(rows))
    expected = [
        msgspec.json.encode({"key": row["key"], "request": {"contents": [{"parts": fill(parts, row)}]}}) + b"\n"
        for row in rows
    ]
    assert [line.encode() for line in block.lines.to_pylist()] == expected
    assert block.violations == []


@settings(max_examples=100)
@given(st.lists(HOSTILE, min_size=1), st.lists(HOSTILE, min_size=1))
def test_every_text_reads_back_as_it_was(texts, constants):
    literal = "".join(constants).replace("{", "(")
    prompts = rows_of(key=[f"{at}{text}" for at, text in enumerate(texts)], text=texts)
    block = encode(Spec("m", request(literal + "{{ text }}")), prompts)
    for line, row in zip(block.lines.to_pylist(), prompts.to_pylist(), strict=True):
        assert line.endswith("\n")
        assert line.count("\n") == 1
        for read in (json.loads, msgspec.json.decode):
            value = read(line.encode())
            assert value == {"key": row["key"], "request": request(literal + row["text"])}


def test_a_cell_of_ten_megabytes():
    text = 'x\n"é\0' * 1_500_000
    block = encode(Spec("m", request("{{ text }}")), rows_of(text=["a", text, "b"]))
    assert [json.loads(line)["request"] for line in block.lines.to_pylist()] == [request(t) for t in ("a", text, "b")]


def test_lines_are_the_same_however_rows_are_cut_into_record_batches(monkeypatch):
    texts = [None if at % 7 == 3 else 'ä"\n' * (at % 50) for at in range(400)]
    prompts = rows_of(
        key=[str(at) for at in range(400)], text=texts, n=list(range(400)), tags=[["x"] * (at % 3) for at in range(400)]
    )
    spec = Spec(
        "m", request("{{ text }} {{ n }} {{ tags }}", labels={"x": "{% for tag in tags %}{{ tag }}{% endfor %}"})
    )
    whole = encode(spec, prompts)
    assert rules_of(whole) == [(at, "schema.null_slot") for at in range(3, 400, 7)]
    for step in (1, 13, 399):
        cut = [encode(spec, prompts.slice(start, step)) for start in range(0, 400, step)]
        assert pa.concat_arrays([block.lines for block in cut]).equals(whole.lines)
    monkeypatch.setattr("geminate.stages.requests.encoder._BLOCK_BYTES", 100)
    assert encode(spec, prompts) == whole


def test_no_rows_make_no_lines():
    block = encode(Spec("m", request("{{ text }}")), rows_of(text=["a"]).slice(1))
    assert (len(block.lines), block.violations) == (0, [])


def test_a_request_without_slots_is_the_same_in_every_line():
    block = encode(Spec("m", request("hi")), rows_of(key=["a", 'b"']))
    assert [json.loads(line) for line in block.lines.to_pylist()] == [
        {"key": key, "request": request("hi")} for key in ("a", 'b"')
    ]


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda column: column,
        lambda column: column.dictionary_encode(),
        lambda column: pa.StructArray.from_arrays([column], ["x"]),
        lambda column: pa.ListArray.from_arrays(list(range(len(column) + 1)), column),
    ],
)
def test_what_is_not_utf8_is_rejected(bad, wrap):
    column = pa.array([b"a", bad, "ä".encode(), b"b" + bad, b"c"], pa.binary()).view(pa.string())
    block = encode(Spec("m", request("{{ text }}")), pa.RecordBatch.from_arrays([wrap(column)], ["text"]))
    assert rules_of(block) == [(1, "json.encoding"), (3, "json.encoding")]
    assert [line is None for line in block.lines.to_pylist()] == [False, True, False, True, False]


def test_a_key_that_is_not_utf8_is_rejected():
    keys = pa.array([b"a", b"\xff"], pa.binary()).view(pa.string())
    prompts = rows_of(text=["x", "y"])
    block = compile_requests(Spec("m", request("{{ text }}")), prompts.schema).encode(prompts, keys)
    assert rules_of(block) == [(1, "json.encoding")]


def test_a_row_without_a_key_is_rejected():
    prompts = rows_of(key=["a", None], text=["x", "y"])
    block = encode(Spec("m", request("{{ text }}")), prompts)
    assert rules_of(block) == [(1, "schema.null_slot")]
    assert block.lines.null_count == 1


def test_a_null_takes_the_default_or_rejects_its_row():
    prompts = rows_of(text=["a", None], score=[None, 1], tags=[None, [None]], row=[{"a": None}, None])
    spec = Spec(
        "m",
        request("{{ text }} {{ score }} {{ tags }} {{ row.a }}"),
        defaults={"text": 'no "text"', "score": 0.5, "tags": ["é"], "row.a": True},
    )
    lines = encode(spec, prompts).lines.to_pylist()
    assert [json.loads(line)["request"]["contents"][0]["parts"][0]["text"] for line in lines] == [
        'a 0.5 ["é"] true',
        'no "text" 1 [null] true',
    ]
    block = encode(Spec("m", request("{{ text }} {{ score }}")), prompts)
    assert [(row, violation.rule, violation.path) for row, violation in block.violations] == [
        (0, "schema.null_slot", "$.request.contents[0].parts[0].text"),
        (1, "schema.null_slot", "$.request.contents[0].parts[0].text"),
    ]


def test_one_bad_row_does_not_touch_the_others():
    prompts = rows_of(text=["a", None, "", "d"], n=[0.5, 1.0, float("nan"), 99.0])
    block = encode(Spec("m", request("{{ text }}", generationConfig={"temperature": "{{ n }}"})), prompts)
    assert rules_of(block) == [
        (1, "schema.null_slot"),
        (2, "json.not_finite"),
        (2, "schema.empty_text"),
        (3, "schema.out_of_range"),
    ]
    assert [line is None for line in block.lines.to_pylist()] == [False, True, True, True]


def test_the_values_buffer_is_the_file():
    prompts = rows_of(key=["a", "b", "c"], text=["x", None, "z"])
    lines = encode(Spec("m", request("{{ text }}")), prompts).lines
    assert bytes(lines.buffers()[2]) == "".join(filter(None, lines.to_pylist())).encode()
