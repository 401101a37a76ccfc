"""Keys on the wire: text that no loader mistakes for a number, a date or a boolean.

The service reads request files through a loader that guesses types, and has been reported to hand ``"000000"`` back
as ``0``. A key that looks like another type therefore travels with a prefix, which is taken off again on return.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

KEY_PREFIX = "k:"
"""What such a key travels with."""

# Numbers, dates, times and timestamps in any common spelling, and the words that stand for booleans, nulls and
# special floats. Keys that already begin with the prefix before such a text are prefixed once more, so that decoding
# is the exact inverse of encoding.
_LOOKS_TYPED = (
    rf"(?i)^(?:{KEY_PREFIX})*(?:"
    r"[-+.,:/ 0-9]*[0-9][-+.,:/ 0-9tez]*(?: ?utc)?"
    r"|[-+]?0x[0-9a-f]+"
    r"|[-+]?(?:inf|infinity|nan)|true|false|yes|no|on|off|t|f|y|n|null|none"
    r")$"
)
_LOOKS_TYPED_RE = re.compile(_LOOKS_TYPED.removesuffix("$"))


def encode_keys(keys: pa.StringArray) -> pa.StringArray:
    """The keys as they travel: prefixed where they look like another type. Nulls stay null."""
    typed = pc.match_substring_regex(keys, pattern=_LOOKS_TYPED)
    if not pc.any(typed).as_py():
        return keys
    return pc.if_else(typed, pc.binary_join_element_wise(KEY_PREFIX, keys, ""), keys)


def decode_keys(keys: pa.StringArray) -> pa.StringArray:
    """The keys as their owner wrote them; the inverse of ``encode_keys``, and nothing for keys it did not touch."""
    prefixed = pc.starts_with(keys, pattern=KEY_PREFIX)
    if not pc.any(prefixed).as_py():
        return keys
    bare = pc.utf8_slice_codeunits(keys, start=len(KEY_PREFIX))
    ours = pc.and_(prefixed, pc.match_substring_regex(bare, pattern=_LOOKS_TYPED))
    return pc.if_else(ours, bare, keys)


def decode_key(key: str) -> str:
    """One key as its owner wrote it."""
    bare = key.removeprefix(KEY_PREFIX)
    return bare if bare != key and _LOOKS_TYPED_RE.fullmatch(bare) else key
