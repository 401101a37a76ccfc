"""What one call meets, and the words for it; they follow Google's storage testbench where it has a word."""

from __future__ import annotations

import re

import msgspec

from geminate.emulator.statuses import CALL_STATUSES
from geminate.errors import UsageError

_AFTER = r"(?:-after-(?P<after>\d+)(?P<unit>[BKM]))?"
_WORDS = [
    re.compile(rf"return-(?P<code>\d{{3}}){_AFTER}"),
    re.compile(r"(?P<reset>reset-(?:before|after)|return-reset-connection)"),
    re.compile(rf"stall-for-(?P<stall>[\d.]+)s{_AFTER}"),
    re.compile(rf"(?P<broken>return-broken-stream)(?P<final>-final-chunk)?{_AFTER}"),
    re.compile(r"(?P<corrupt>return-corrupted-data)"),
]
_UNIT_BYTES = {None: 0, "B": 1, "K": 1024, "M": 1024 * 1024}


class CallFault(msgspec.Struct, frozen=True):
    """What one call meets.

    Attributes:
        code: The HTTP status to answer with.
        reset: Whether the connection is reset instead of an answer.
        stall_s: How long the answer is held back.
        commit: Whether the call's work is done first.
        retry_after_s: What ``Retry-After`` says.
        times: How many calls it is for.
        after_bytes: How many bytes of the body, or else of the answer, pass before it strikes; None for none.
        broken: Whether the answer breaks off.
        final_only: Whether it waits for the call that ends an upload, and shortens its answer instead.
        corrupt: Whether the answer, or the bytes of the object that is read, come damaged.
    """

    code: int | None = None
    reset: bool = False
    stall_s: float = 0
    commit: bool = False
    retry_after_s: int | None = None
    times: int = 1
    after_bytes: int | None = None
    broken: bool = False
    final_only: bool = False
    corrupt: bool = False

    @property
    def stalls_only(self) -> bool:
        """Whether the call is answered all the same, only later."""
        return not self.reset and self.code is None

    def damage(self, body: bytes) -> bytes:
        """What comes of an answer's body."""
        if self.broken:
            return body[: len(body) // 2 if self.after_bytes is None else self.after_bytes]
        return bytes(byte ^ 0xFF for byte in body[:1]) + body[1:] if self.corrupt else body

    @property
    def is_of_streams(self) -> bool:
        """Whether it means something only where bytes are streamed."""
        return self.final_only or self.after_bytes is not None


def parse_call_fault(text: str) -> CallFault:
    """The fault that a line such as ``return-503; commit; retry-after=2; times=3`` describes.

    Raises:
        UsageError: It describes none.
    """
    word, *settings = (part.strip() for part in text.split(";"))
    matches = (pattern.fullmatch(word) for pattern in _WORDS)
    found = next((match.groupdict() for match in matches if match), None)
    named = dict(setting.partition("=")[::2] for setting in settings)
    unknown = set(named) - {"commit", "retry-after", "times"} or named.get("commit")
    if found is None or unknown or (found.get("code") and int(found["code"]) not in CALL_STATUSES):
        raise no_such_fault(text)
    try:
        return CallFault(
            code=int(found["code"]) if found.get("code") else None,
            reset=bool(found.get("reset")),
            stall_s=float(found.get("stall") or 0),
            commit="commit" in named or found.get("reset") == "reset-after",
            retry_after_s=int(named["retry-after"]) if "retry-after" in named else None,
            times=int(named.get("times", 1)),
            after_bytes=int(found["after"]) * _UNIT_BYTES[found["unit"]] if found.get("after") else None,
            broken=bool(found.get("broken")),
            final_only=bool(found.get("final")),
            corrupt=bool(found.get("corrupt")),
        )
    except ValueError:
        raise no_such_fault(text) from None


def no_such_fault(text: str) -> UsageError:
    """Why a line is refused."""
    remedy = (
        "say return-CODE, reset-before, reset-after, stall-for-Ns, return-broken-stream or return-corrupted-data, "
        "then ; commit, ; retry-after=N, ; times=N; for storage also return-CODE-after-NK"
    )
    return UsageError(f"no such fault: {text!r}", where="fault script", remedy=remedy)
