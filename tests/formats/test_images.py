import io
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from geminate.errors import UsageError
from geminate.formats.images import SCALED_TYPES, Box, ImageFault, require_pillow, scale_image

KINDS = [(mime_type, kind) for mime_type, kind in SCALED_TYPES.items()]


def encoded(image, kind, **more):
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def decoded(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_that_claims(width, height):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mime_type, kind", KINDS)
def test_an_image_keeps_its_format_and_proportions(mime_type, kind):
    data = encoded(Image.new("RGB", (400, 100), "teal"), kind)
    scaled = decoded(scale_image(data, mime_type, Box(100, None)))
    assert (scaled.format, scaled.size) == (kind, (100, 25))
    assert decoded(scale_image(data, mime_type, Box(None, 10_000))).size == (200, 50)
    assert scale_image(data, mime_type, Box(100, None)) == scale_image(data, mime_type, Box(100, None))


@pytest.mark.parametrize("mime_type, kind", KINDS)
def test_an_image_that_fits_is_left_alone(mime_type, kind):
    assert scale_image(encoded(Image.new("RGB", (40, 10)), kind), mime_type, Box(40, 400)) is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_can_be_scaled(mode):
    scaled = decoded(scale_image(encoded(Image.new(mode, (40, 10)), "PNG"), "image/png", Box(20, None)))
    assert scaled.size == (20, 5)
    assert ("A" in mode) == ("A" in scaled.mode)


def test_sixteen_bits_keep_their_light_tones():
    image = Image.new("I;16", (40, 40), 40_000)
    assert decoded(scale_image(encoded(image, "PNG"), "image/png", Box(20, None))).getpixel((5, 5)) == 40_000 // 256


def test_cmyk_becomes_rgb_and_loses_a_profile_of_other_colours():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.new("CMYK", (40, 40)), "JPEG", icc_profile=profile)
    scaled = decoded(scale_image(data, "image/jpeg", Box(20, None)))
    assert scaled.mode == "RGB"
    assert "icc_profile" not in scaled.info


@pytest.mark.parametrize("mime_type, kind", KINDS)
def test_an_image_stands_upright_keeps_its_profile_and_loses_all_else(mime_type, kind):
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Taken at home."
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scaled = decoded(scale_image(encoded(image, kind, exif=exif, icc_profile=profile), mime_type, Box(20, None)))
    assert scaled.size == (10, 20)
    assert scaled.getpixel((5, 17))[1] > 200 > scaled.getpixel((5, 2))[1]
    assert dict(scaled.getexif()) == {}
    assert scaled.info["icc_profile"] == profile


@pytest.mark.parametrize(
    "data, mime_type",
    [
        (b"", "image/png"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x04\0\0\0WEBP", "image/webp"),
        (png_that_claims(50_000, 50_000), "image/png"),
        (png_that_claims(13_000, 13_000), "image/png"),
        (png_that_claims(10_000, 9_500), "image/png"),
        (png_that_claims(0, 10), "image/png"),
        (encoded(Image.new("RGB", (50, 50)), "PNG"), "image/jpeg"),
        (encoded(Image.effect_noise((200, 200), 50), "PNG")[:-2000], "image/png"),
        (encoded(Image.effect_noise((200, 200), 50), "JPEG")[:-500], "image/jpeg"),
        (encoded(Image.effect_noise((200, 200), 50), "WEBP")[:-500], "image/webp"),
    ],
)
def test_hostile_and_broken_images_are_faults(data, mime_type):
    with pytest.raises(ImageFault, match="image") as fault:
        scale_image(data, mime_type, Box(10, None))
    assert "0x" not in str(fault.value)


@settings(max_examples=100)
@given(data=st.data())
def test_whatever_is_damaged_is_scaled_or_a_fault(data):
    mime_type, kind = data.draw(st.sampled_from(KINDS))
    damaged = bytearray(encoded(Image.linear_gradient("L").resize((64, 32)), kind))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=8)):
        damaged[at] = byte
    try:
        scaled = scale_image(bytes(damaged), mime_type, Box(16, None))
    except ImageFault:
        return
    assert scaled is None or max(decoded(scaled).size) <= 16


def test_warnings_stay_on_for_everybody_else():
    before = warnings.filters[:]
    data = encoded(Image.new("RGB", (400, 100)), "PNG")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: scale_image(data, "image/png", Box(10, None)), range(20)))
    assert warnings.filters == before


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=r"pip install 'geminate\[images\]'"):
        require_pillow()
