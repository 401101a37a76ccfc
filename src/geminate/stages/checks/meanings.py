"""What a request must mean, beyond the types of its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from geminate.stages.checks.paths import Path
from geminate.stages.checks.structure import Findings, Members, ObjectCheck, StructureCheck
from geminate.wire.limits import LIMITS
from geminate.wire.violations import brief

ROLES: Final = frozenset({"user", "model"})

# The fields of which a part, or a part of a function's response, holds one; the others say more about it. From the
# reference of ``Part.data`` in the discovery document, revision 20261106.
_PART_DATA: Final = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
)
_RESPONSE_PART_DATA: Final = ("inlineData", "fileData")

# Pairs that the discovery document, revision 20261106, says exclude each other.
_EXCLUSIVE: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "GenerateContentRequest": (("modelArmorConfig", "safetySettings"),),
    "GenerationConfig": (("responseSchema", "responseJsonSchema"),),
    "FunctionDeclaration": (("parameters", "parametersJsonSchema"), ("response", "responseJsonSchema")),
}

# ``text/x.enum`` is for a schema that is one enum.
_STRUCTURED_MIME_TYPES: Final = frozenset({"application/json", "text/x.enum"})

_LABEL_KEY: Final = re.compile(rf"[^\W\d_][\w-]{{0,{LIMITS.max_label_chars - 1}}}")
_LABEL_VALUE: Final = re.compile(rf"[\w-]{{0,{LIMITS.max_label_chars}}}")


@cache
def structure_check() -> StructureCheck:
    """The check of a whole request: its structure and its meaning. Holds no state; made once."""
    meanings: dict[str, ObjectCheck] = {
        "Blob": _check_blob,
        "Content": _check_content,
        "FunctionResponsePart": _check_response_part,
        "GenerateContentRequest": _check_request,
        "GenerationConfig": _check_generation,
        "Part": _check_part,
        "TextResponseFormat": _check_text_format,
    }
    return StructureCheck(meanings, _EXCLUSIVE)


def _check_request(findings: Findings, members: Members, _path: Path) -> None:
    contents, at = members.get("contents", (None, None))
    if isinstance(contents, list):
        if not contents:
            findings.add("schema.empty_contents", at, "'contents' is empty; it needs at least one content")
        _check_roles(findings, contents, at)
        _check_function_order(findings, contents, at)
        _count_media(findings, contents, at)
    labels, at = members.get("labels", (None, None))
    if isinstance(labels, dict):
        _check_labels(findings, labels, at)


def _check_roles(findings: Findings, contents: list[Any], path: Path) -> None:
    for index, content in enumerate(contents):
        role = content.get("role") if isinstance(content, dict) else None
        if isinstance(role, str) and role not in ROLES and not findings.stands_open(role):
            message = (
                f"the role {brief(role)} is neither 'user' nor 'model'; a system text belongs in 'systemInstruction'"
            )
            findings.add("schema.role", ((path, index), "role"), message)


def _check_function_order(findings: Findings, contents: list[Any], path: Path) -> None:
    called: set[Any] = set()
    for index, content in enumerate(contents):
        for part, at in iter_parts(content, (path, index)):
            call = part.get("functionCall", part.get("function_call"))
            response = part.get("functionResponse", part.get("function_response"))
            if isinstance(call, dict):
                called.add(str(call.get("name")))
            if isinstance(response, dict) and isinstance(response.get("name"), str):
                name = response["name"]
                if name not in called:
                    findings.add("schema.function_response", at, f"no earlier part calls the function {brief(name)}")


def _count_media(findings: Findings, contents: list[Any], path: Path) -> None:
    counts = {"image/": 0, "video/": 0}
    for content in contents:
        for part, _ in iter_parts(content, None):
            kind = mime_type_of(part)[:6]
            if kind in counts:
                counts[kind] += 1
    for kind, rule, most in (
        ("image/", "limit.images", LIMITS.max_images_per_prompt),
        ("video/", "limit.videos", LIMITS.max_videos_per_prompt),
    ):
        if counts[kind] > most:
            findings.add(rule, path, f"{counts[kind]} files of type {kind}…, where a request takes {most} at most")


def iter_parts(content: Any, path: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """The parts of a content that are objects, each with its place."""
    parts = content.get("parts") if isinstance(content, dict) else None
    if isinstance(parts, dict):
        yield parts, (path, "parts")
    elif isinstance(parts, list):
        for index, part in enumerate(parts):
            if isinstance(part, dict):
                yield part, ((path, "parts"), index)


def mime_type_of(part: dict[str, Any]) -> str:
    """The MIME type of a part's data, in lower case; empty where it names none."""
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        data = part.get(name)
        if isinstance(data, dict):
            mime_type = data.get("mimeType", data.get("mime_type"))
            return mime_type.lower() if isinstance(mime_type, str) else ""
    return ""


def _check_labels(findings: Findings, labels: dict[str, Any], path: Path) -> None:
    if len(labels) > LIMITS.max_labels:
        findings.add("limit.labels", path, f"{len(labels)} labels, where a request takes {LIMITS.max_labels} at most")
    for key, value in labels.items():
        if findings.stands_open(value):
            continue
        if not _LABEL_KEY.fullmatch(key) or key != key.lower():
            message = "a label's key is a letter, then lower-case letters, digits, '_' and '-'"
            findings.add("schema.label", (path, key), f"{message}, {LIMITS.max_label_chars} in all")
        if isinstance(value, str) and (not _LABEL_VALUE.fullmatch(value) or value != value.lower()):
            message = "a label's value is lower-case letters, digits, '_' and '-'"
            findings.add("schema.label", (path, key), f"{message}, {LIMITS.max_label_chars} at most")


def _check_content(findings: Findings, members: Members, _path: Path) -> None:
    parts, at = members.get("parts", (None, None))
    if parts == []:
        findings.add("schema.empty_parts", at, "'parts' is empty; a content needs at least one part")


def _check_part(findings: Findings, members: Members, path: Path) -> None:
    held = [name for name in _PART_DATA if name in members]
    if len(held) > 1:
        findings.add("schema.part_union", path, f"a part holds one kind of data; this one has {' and '.join(held)}")
    elif not held and "audioTranscription" not in members:
        findings.add("schema.part_union", path, f"this part holds no data; it needs one of {', '.join(_PART_DATA)}")
    text, at = members.get("text", (None, None))
    # Models that think return their signature on empty texts too, and want it back.
    if text == "" and "thoughtSignature" not in members:
        findings.add("schema.empty_text", at, "the text is empty, which the service refuses")


def _check_response_part(findings: Findings, members: Members, path: Path) -> None:
    if all(name in members for name in _RESPONSE_PART_DATA):
        message = f"a part holds one kind of data; this one has {' and '.join(_RESPONSE_PART_DATA)}"
        findings.add("schema.part_union", path, message)


def _check_blob(findings: Findings, members: Members, _path: Path) -> None:
    data, at = members.get("data", (None, None))
    mime_type, _ = members.get("mimeType", (None, None))
    if not isinstance(data, str) or not isinstance(mime_type, str):
        return
    size = len(data.rstrip("=")) * 3 // 4
    if mime_type.lower().startswith("image/") and size > LIMITS.max_inline_image_bytes:
        message = f"an inline image of {size:,} bytes, where {LIMITS.max_inline_image_bytes:,} is the most; upload it"
        findings.add("limit.inline_image", at, f"{message} and name it in 'fileData'")
    if mime_type.lower().startswith("application/pdf") and size > LIMITS.max_document_bytes:
        message = f"an inline PDF of {size:,} bytes, where {LIMITS.max_document_bytes:,} is the most"
        findings.add("limit.document", at, message)


def _check_generation(findings: Findings, members: Members, path: Path) -> None:
    if "responseSchema" not in members and "responseJsonSchema" not in members:
        return
    mime_type, at = members.get("responseMimeType", ("", path))
    if isinstance(mime_type, str) and mime_type not in _STRUCTURED_MIME_TYPES and not findings.stands_open(mime_type):
        message = "an answer schema needs 'responseMimeType' to be 'application/json'"
        findings.add("schema.response_mime_type", at, message)


def _check_text_format(findings: Findings, members: Members, path: Path) -> None:
    if "schema" not in members:
        return
    mime_type, at = members.get("mimeType", ("", path))
    if isinstance(mime_type, str) and mime_type != "APPLICATION_JSON" and not findings.stands_open(mime_type):
        findings.add("schema.response_mime_type", at, "an answer schema needs 'mimeType' to be 'APPLICATION_JSON'")
