"""The closed table of rules that request lines can break."""

from __future__ import annotations

from typing import Final

RULES: Final[dict[str, str]] = {
    "json.syntax": "Every line is one JSON value, as RFC 8259 writes it.",
    "json.encoding": "Every line is UTF-8.",
    "json.bom": "No line begins with a byte order mark.",
    "json.blank_line": "No line is blank; one line end after the last line is fine.",
    "json.not_object": "Every line is an object.",
    "json.duplicate_key": "No object has the same key twice.",
    "json.lone_surrogate": "Escaped surrogates come in pairs.",
    "json.not_finite": "Every number is finite and fits a double: no NaN, no Infinity, no 1e999.",
    "json.nesting": "Nothing nests deeper than parsers follow.",
    "schema.missing_request": "Every line has a member `request`.",
    "schema.reserved_sibling": "No member beside `request` has a name that the service writes itself.",
    "schema.unknown_field": "Every field is one the service knows, in camelCase or snake_case.",
    "schema.wrong_type": "Every field holds a value of its type.",
    "schema.bad_enum": "Every enum field holds one of its values.",
    "schema.missing_field": "Every required field is there, and not null.",
    "schema.both_spellings": "No field stands twice in one object, once in each spelling.",
    "schema.exclusive_fields": "Fields that exclude each other do not stand together.",
    "schema.parts_object": "`parts` is an array, also where it holds one part.",
    "schema.stray_model": "The model is the job's, not the line's.",
    "schema.role": "A content's role is `user` or `model`, or left out.",
    "schema.empty_contents": "`contents` has at least one content.",
    "schema.empty_parts": "A content has at least one part.",
    "schema.part_union": "A part holds exactly one kind of data.",
    "schema.empty_text": "A part's text is not empty, unless the part carries a thought's signature.",
    "schema.mime_type": "A MIME type has the form `type/subtype`.",
    "schema.file_uri": "A file's URI is `gs://bucket/object` or a YouTube address.",
    "schema.base64": "Bytes are written in base64.",
    "schema.duration": "A duration is seconds with an `s`, such as `3.5s`.",
    "schema.out_of_range": "A number lies in the range its field takes.",
    "schema.function_name": "A function's name is one the service takes.",
    "schema.function_response": "A function's response follows a call of that function.",
    "schema.label": "A label's key and value have the form that labels have.",
    "schema.response_mime_type": "An answer schema comes with a response MIME type that it can apply to.",
    "schema.duplicate_key": "No two lines of the set have the same key.",
    "schema.null_slot": "Every slot has a value or a default; found while building, not in finished lines.",
    "schema.template": "Every template can be rendered; found while building, not in finished lines.",
    "schema.deprecated": "Advice: no field or value is deprecated.",
    "schema.ignored_field": "Advice: an answer schema uses no keyword that the service ignores.",
    "schema.typed_key": "Advice: no key looks like a number, a date or a boolean, which loaders may rewrite.",
    "import.empty_object": "No path holds only empty objects; a null member is enough.",
    "import.nesting": "No member lies deeper than the importer's tables go, counted from the line's own members.",
    "import.field_name": "Every key is a column name: letters, digits and `_`, not beginning with a digit.",
    "import.field_case": "No two keys of one path differ in case alone.",
    "import.type_conflict": "Every path holds one type in all lines: an object, an array, text, numbers or booleans.",
    "import.nested_array": "No array holds an array.",
    "import.null_in_array": "No array holds a null.",
    "import.null_for_array": "No path holds a null in one line and an array in another.",
    "limit.rows": "A file has no more lines than a job takes.",
    "limit.file_bytes": "A file is no larger than a job takes.",
    "limit.line_bytes": "A line is short enough to be read whole.",
    "limit.columns": "The set has no more different paths than the importer's tables have columns.",
    "limit.inline_image": "An inline image is no larger than the service takes.",
    "limit.document": "An inline PDF is no larger than the service takes.",
    "limit.images": "A request has no more images than any model takes.",
    "limit.videos": "A request has no more videos than any model takes.",
    "limit.labels": "A request has no more labels than the service takes.",
    "limit.unsupported": "A request asks for nothing that batch prediction does not do.",
}
"""Every rule's name, and what a set that keeps it looks like.

The rules that begin with "Advice" are looked at only on request: breaking them harms no job. Those of ``import.`` are
about Cloud Storage input, and belong to a path of the whole set, so each is reported once for a path, at its first
place; all others are reported wherever they are broken.
"""
