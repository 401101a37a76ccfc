"""What a spec says about its media: ``media: {photo: {max_edge: 1536}}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from geminate.errors import InputError, SpecError
from geminate.stages.specs.suggestions import suggest
from geminate.wire.uris import split_gs_uri

_MIME = re.compile(r"[a-z0-9][\w!#$&^.+-]*/[\w!#$&^.+-]+")


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """How the media of one slot are brought into requests.

    Attributes:
        mime: Their MIME type, whatever content and name say; None to go by those.
        max_edge: The longest edge of an image in pixels; a larger one is scaled down.
        max_pixels: The most pixels of an image; a larger one is scaled down.
        upload: Below which URI local ones are stored, False to have them inline always, None to leave it to the build.
    """

    mime: str | None = None
    max_edge: int | None = None
    max_pixels: int | None = None
    upload: str | bool | None = None


_NAMES = tuple(field.name for field in fields(MediaOptions))


def read_media_options(name: str, value: Any, where: str) -> MediaOptions:
    """The options of one slot.

    Raises:
        SpecError: One is unknown, or has a wrong value.
    """
    if not isinstance(value, Mapping):
        raise SpecError(f"what is said of {name!r} is no mapping", where=where, remedy=f"give it {', '.join(_NAMES)}")
    for option, setting in value.items():
        if option not in _NAMES:
            raise SpecError(f"media have no option {option!r}{suggest(str(option), _NAMES)}", where=where)
        is_right, wanted = _RIGHT[option]
        if not is_right(setting):
            raise SpecError(f"{option!r} of {name!r} is {setting!r}", where=where, remedy=f"give it {wanted}")
    return MediaOptions(**value)


def refuse_unknown(names: Collection[str], known: Collection[str], where: str) -> None:
    """Nothing.

    Raises:
        SpecError: One of the names is that of no medium's slot.
    """
    for name in names:
        if name not in known:
            what = f"no slot for a medium is called {name!r}{suggest(name, known)}"
            raise SpecError(what, where=where, remedy=f"write {{{{ {name} | part }}}} among the parts of a content")


def _is_pixels(setting: Any) -> bool:
    return isinstance(setting, int) and not isinstance(setting, bool) and setting > 0


def _is_mime(setting: Any) -> bool:
    return isinstance(setting, str) and _MIME.fullmatch(setting) is not None


def _is_upload(setting: Any) -> bool:
    if setting is False:
        return True
    try:
        return isinstance(setting, str) and bool(split_gs_uri(setting))
    except InputError:
        return False


_RIGHT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "mime": (_is_mime, "a MIME type such as image/png"),
    "max_edge": (_is_pixels, "a number of pixels"),
    "max_pixels": (_is_pixels, "a number of pixels"),
    "upload": (_is_upload, "gs://bucket/prefix, or false"),
}
