"""What a request's varying texts must be: checked for a whole column at once, in the words of ``geminate check``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from geminate.stages.checks.fields import Node, request_node
from geminate.stages.checks.meanings import structure_check
from geminate.stages.checks.structure import FILE_URI_PATTERN, Findings
from geminate.stages.requests.cells import Faults
from geminate.stages.requests.values import find_rows
from geminate.wire.violations import Violation

TEXT_FIELD: Final = "Part.text"

# The smallest requests that hold a value whose rule is about more than its own field.
_SAMPLES: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "Content.role": lambda role: {"contents": [{"role": role, "parts": [{"text": "x"}]}]},
    "GenerateContentRequest.labels": lambda label: {
        "contents": [{"parts": [{"text": "x"}]}],
        "labels": {"x": label},
    },
}

# What passes at once where every row may differ; the rest is looked at value by value.
_QUICK_PATTERNS: Final[dict[str, str]] = {"file_uri": f"^(?:{FILE_URI_PATTERN})$"}
_LAX_KINDS: Final = {"string", "any", "object", "array", "map"}


def is_checked(field: str, node: Node) -> bool:
    """Whether texts at this field can be wrong."""
    return field == TEXT_FIELD or field in _SAMPLES or node.kind not in _LAX_KINDS


def find_text_faults(texts: pa.LargeStringArray, field: str, node: Node, path: str) -> Faults:
    """The faults of texts that are the whole value of a field. Nulls have none.

    Args:
        texts: The texts.
        field: The field, as ``Definition.name``.
        node: What it holds.
        path: Where the violations are.
    """
    if field == TEXT_FIELD:
        empty = Violation("schema.empty_text", "the text is empty, which the service refuses", path)
        return [(row, empty) for row in find_rows(pc.equal(pc.binary_length(texts), 0))]
    pattern = _QUICK_PATTERNS.get(node.kind)
    if pattern and pc.all(pc.match_substring_regex(texts, pattern=pattern), min_count=0).as_py():
        return []
    return _find_value_faults(texts, lambda text: _judge(text, field, node), path)


def find_value_faults(values: pa.LargeStringArray, node: Node, path: str) -> Faults:
    """The faults of JSON numbers and booleans that are the whole value of a field. Nulls have none."""
    return _find_value_faults(values, lambda text: _judge(msgspec.json.decode(text), "", node), path)


def _find_value_faults(texts: pa.LargeStringArray, judge: Callable[[str], Violation | None], path: str) -> Faults:
    encoded = texts.dictionary_encode()
    faults: Faults = []
    for code, text in enumerate(encoded.dictionary.to_pylist()):
        violation = judge(text)
        if violation:
            violation = replace(violation, path=path)
            faults += [(row, violation) for row in find_rows(pc.equal(encoded.indices, code))]
    return faults


def _judge(value: Any, field: str, node: Node) -> Violation | None:
    findings = Findings()
    if field in _SAMPLES:
        structure_check().check(findings, request_node(), _SAMPLES[field](value), None)
    else:
        structure_check().check(findings, node, value, None)
    return findings.violations[0] if findings.violations else None
