"""The outcome of one prompt, and every table that leads to it.

Finish and block reasons, and the numbers they had in older predictions, are those of the REST discovery document
``aiplatform.v1`` (revision 20261106) and of ``google.cloud.aiplatform_v1.types`` (numbers, 2025-11).
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Outcome(StrEnum):
    """The verdict on one prompt; every prompt has exactly one."""

    OK = "ok"
    INVALID_ANSWER = "invalid_answer"
    TRUNCATED = "truncated"
    BLOCKED = "blocked"
    EMPTY = "empty"
    ABORTED = "aborted"
    FAILED = "failed"
    MISSING = "missing"
    REJECTED = "rejected"


FINISH_REASONS = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
)
"""Finish reasons by their number. Reasons added later have only been seen as names."""

BLOCK_REASONS = (
    "BLOCKED_REASON_UNSPECIFIED",
    "SAFETY",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "JAILBREAK",
)
"""Block reasons by their number."""

FINISHED = frozenset({"STOP", None})
"""A complete answer, if there is a usable part. Older predictions leave the reason out."""

FINISH_OUTCOMES = MappingProxyType(
    {
        "MAX_TOKENS": Outcome.TRUNCATED,
        "SAFETY": Outcome.BLOCKED,
        "RECITATION": Outcome.BLOCKED,
        "BLOCKLIST": Outcome.BLOCKED,
        "PROHIBITED_CONTENT": Outcome.BLOCKED,
        "SPII": Outcome.BLOCKED,
        "MODEL_ARMOR": Outcome.BLOCKED,
        "IMAGE_SAFETY": Outcome.BLOCKED,
        "IMAGE_PROHIBITED_CONTENT": Outcome.BLOCKED,
        "IMAGE_RECITATION": Outcome.BLOCKED,
    }
)
"""What a finish reason other than those of ``FINISHED`` means; any that is not here means ``aborted``."""


class Remedy(NamedTuple):
    """What another try can do for a prompt with some outcome.

    Attributes:
        as_is: Whether the same request may succeed; None where that depends on the error.
        changes: Which changes of the request may help, by their names in ``Changes``.
        why: The reason.
    """

    as_is: bool | None
    changes: tuple[str, ...]
    why: str


_SAMPLING = ("temperature", "seed")
REMEDIES = MappingProxyType(
    {
        Outcome.OK: Remedy(False, (), "there is nothing to mend"),
        Outcome.INVALID_ANSWER: Remedy(True, _SAMPLING, "the next answer may keep to the schema"),
        Outcome.TRUNCATED: Remedy(
            False, ("max_output_tokens", "thinking_budget"), "the same limit cuts the same answer"
        ),
        Outcome.BLOCKED: Remedy(False, (), "the same filters look at the same prompt"),
        Outcome.EMPTY: Remedy(True, _SAMPLING, "seen to pass with the next answer"),
        Outcome.ABORTED: Remedy(True, _SAMPLING, "a malformed call, a missing image: faults of one answer"),
        Outcome.FAILED: Remedy(None, (), "that depends on the error"),
        Outcome.MISSING: Remedy(True, (), "the job ended before this prompt, and nothing was charged"),
        Outcome.REJECTED: Remedy(False, (), "it breaks a rule, and would break it again"),
    }
)
"""Whether another try may mend it, and what to change, by outcome."""

RETRYABLE = MappingProxyType({outcome: bool(remedy.as_is) for outcome, remedy in REMEDIES.items()})
"""Whether a new attempt of the same request may mend it, by outcome; ``failed`` depends on the error."""

ERROR_CODES = MappingProxyType(
    {
        "CANCELLED": (1, 499),
        "UNKNOWN": (2, 500),
        "INVALID_ARGUMENT": (3, 400),
        "DEADLINE_EXCEEDED": (4, 504),
        "NOT_FOUND": (5, 404),
        "ALREADY_EXISTS": (6, 409),
        "PERMISSION_DENIED": (7, 403),
        "RESOURCE_EXHAUSTED": (8, 429),
        "FAILED_PRECONDITION": (9, 400),
        "ABORTED": (10, 409),
        "OUT_OF_RANGE": (11, 400),
        "UNIMPLEMENTED": (12, 501),
        "INTERNAL": (13, 500),
        "UNAVAILABLE": (14, 503),
        "DATA_LOSS": (15, 500),
        "UNAUTHENTICATED": (16, 401),
    }
)
"""Status names with their gRPC and HTTP numbers, as in ``google/rpc/code.proto``."""

HTTP_REASONS = MappingProxyType(
    {
        "Bad Request": 400,
        "Unauthorized": 401,
        "Forbidden": 403,
        "Not Found": 404,
        "Conflict": 409,
        "Too Many Requests": 429,
        "Internal Server Error": 500,
        "Bad Gateway": 502,
        "Service Unavailable": 503,
        "Gateway Timeout": 504,
    }
)
"""The words a status text may begin with, with their HTTP number."""

ERROR_REMEDIES = MappingProxyType(
    {
        "CANCELLED": (True, ""),
        "UNKNOWN": (True, ""),
        "INVALID_ARGUMENT": (False, "the request: its message says what"),
        "DEADLINE_EXCEEDED": (True, ""),
        "NOT_FOUND": (False, "the file, model or location that the request names"),
        "ALREADY_EXISTS": (False, "what is there already"),
        "PERMISSION_DENIED": (False, "the rights of the project or of the service's own agent"),
        "RESOURCE_EXHAUSTED": (True, ""),
        "FAILED_PRECONDITION": (False, "the project's set-up"),
        "ABORTED": (True, ""),
        "OUT_OF_RANGE": (False, "the request: a number in it"),
        "UNIMPLEMENTED": (False, "the request: it asks for what the model cannot do"),
        "INTERNAL": (True, ""),
        "UNAVAILABLE": (True, ""),
        "DATA_LOSS": (True, ""),
        "UNAUTHENTICATED": (False, "the rights of the project or of the service's own agent"),
    }
)
"""Whether another try of the same request may help, and else what has to change first, by status name."""

_LASTING = frozenset(name for name, (helps, _) in ERROR_REMEDIES.items() if not helps)
_LASTING_CODES = frozenset(grpc for name, (grpc, _) in ERROR_CODES.items() if name in _LASTING) | frozenset(
    {400, 401, 403, 404, 405, 410, 411, 413, 414, 415, 422, 501}
)

# Refusals by code that pass by themselves all the same, by their wording.
_PASSING_MESSAGES = ("Service agents are being provisioned",)


def is_error_retryable(code: int | None, status_name: str | None, message: str) -> bool:
    """Whether a failed prediction may succeed in a new attempt.

    What nobody has classified may: failed predictions are not charged.
    """
    if any(wording in message for wording in _PASSING_MESSAGES):
        return True
    if status_name in ERROR_CODES:
        return status_name not in _LASTING
    return code not in _LASTING_CODES
