"""Images made smaller, with Pillow, which is imported on use."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from geminate.errors import UsageError

SCALED_TYPES: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
"""The MIME types that can be scaled, and what Pillow calls them."""

MAX_DECODED_PIXELS: Final = 2**27
"""How many pixels are decoded at most, half a gigabyte: what claims more is taken for a decompression bomb."""

_LARGE_PIXELS: Final = 2**24
_ORIENTATION: Final = 0x0112  # The tag of EXIF.
_PLAIN_MODES: Final = frozenset({"L", "LA", "RGB", "RGBA"})
_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "PNG": {"compress_level": 6},
    "JPEG": {"quality": 90, "subsampling": "4:2:0"},
    "WEBP": {"quality": 90, "method": 4},
}

# Warnings are settings of the whole process, so only one thread at a time may hold them back.
_WARNINGS: Final = threading.Lock()
# Images of many pixels are decoded one at a time, whatever the number of threads.
_LARGE: Final = threading.Lock()


class ImageFault(Exception):  # noqa: N818 - it befalls one row, and is none of the errors that stop the work.
    """Why an image cannot be scaled, as a clause."""


@dataclass(frozen=True, slots=True)
class Box:
    """What an image must fit into.

    Attributes:
        max_edge: Its longest edge in pixels, None for any.
        max_pixels: All its pixels, None for any.
    """

    max_edge: int | None
    max_pixels: int | None

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """The size with the same proportions that fits; the same size where that does."""
        factor = 1.0
        if self.max_edge:
            factor = min(factor, self.max_edge / max(width, height))
        if self.max_pixels:
            factor = min(factor, (self.max_pixels / (width * height)) ** 0.5)
        return (width, height) if factor >= 1 else (max(1, int(width * factor)), max(1, int(height * factor)))


def require_pillow() -> None:
    """Nothing, where Pillow is there.

    Raises:
        UsageError: It is not.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise UsageError("images are scaled with Pillow", remedy="pip install 'geminate[images]'") from error


def scale_image(data: bytes | memoryview, mime_type: str, box: Box) -> bytes | None:
    """The image scaled down to fit, in the same format; None where it fits as it is.

    The image stands upright as its EXIF orientation says; colour profiles are kept, other metadata and all frames but
    the first are not. The same bytes come of the same bytes and the same Pillow.

    Args:
        data: The image.
        mime_type: One of ``SCALED_TYPES``.
        box: What it must fit into.

    Raises:
        ImageFault: It cannot be decoded, or claims more than ``MAX_DECODED_PIXELS``.
    """
    try:
        return _scale(data, SCALED_TYPES[mime_type], box)
    except ImageFault:
        raise
    except Exception as error:
        # Hostile files make decoders fail in every way there is.
        raise ImageFault(f"the image cannot be decoded ({type(error).__name__}: {error})") from error


def _scale(data: bytes | memoryview, kind: str, box: Box) -> bytes | None:
    from PIL import ImageOps

    with _quiet():
        image = _open(data, kind)
    width, height = image.size
    if width * height > MAX_DECODED_PIXELS:
        raise ImageFault(f"the image claims {width:,} by {height:,} pixels, too many to decode")
    size = box.fit(width, height)
    if size == (width, height):
        return None
    with _LARGE if width * height > _LARGE_PIXELS else nullcontext():
        shrunk = _shrink(image, size)
    with _quiet():
        shrunk.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    upright = ImageOps.exif_transpose(shrunk)
    scaled = io.BytesIO()
    upright.save(scaled, kind, icc_profile=shrunk.info.get("icc_profile"), exif=b"", **_SETTINGS[kind])
    return scaled.getvalue()


def _open(data: bytes | memoryview, kind: str) -> Any:
    from PIL import Image

    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except Image.UnidentifiedImageError as error:
        raise ImageFault(f"the image is no whole {kind}") from error


def _shrink(image: Any, size: tuple[int, int]) -> Any:
    """The image in the new size, in a mode that its format can hold, without metadata but the colour profile."""
    from PIL import Image

    image.draft(None, size)  # Decoders of JPEG can leave out what would be thrown away; others ignore it.
    image.load()
    profile = image.info.get("icc_profile")
    if image.mode not in _PLAIN_MODES:
        profile = None  # It describes the colours of the old mode.
        image = _in_plain_mode(image)
    shrunk = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    shrunk.info = {"icc_profile": profile} if profile else {}
    return shrunk


def _in_plain_mode(image: Any) -> Any:
    if image.mode in {"I;16", "I"}:
        return (
            image.convert("I").point(lambda value: value / 256).convert("L")
        )  # Converting alone cuts off all light tones.
    has_alpha = image.mode in {"PA", "La", "RGBa"} or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "L" if image.mode == "1" else "RGB")


@contextmanager
def _quiet() -> Iterator[None]:
    with _WARNINGS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
