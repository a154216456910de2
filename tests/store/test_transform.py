"""Transform of image files into pixels: colours, crop, resize, invalid files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from image_trees import encode_image, smooth_image
from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.store.transform import ImageTransform, InvalidImageError

TRANSFORM = ImageTransform("folder", 32)


def flat(mode: str, colour: object, size: tuple[int, int] = (40, 40)) -> Image.Image:
    return Image.new(mode, size, colour)


def sixteen_bit_rgb(value: int, side: int = 40) -> bytes:
    """Write a PNG of three channels of 16 bits, which Pillow reads and cannot write."""
    row = b"\0" + struct.pack(">3H", value, value, value) * side

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(row * side)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("content", "converted", "colour"),
    [
        (encode_image(flat("RGB", (200, 100, 50)), "PNG"), None, (200, 100, 50)),
        (encode_image(flat("L", 90), "PNG"), "grey", (90, 90, 90)),
        (encode_image(flat("1", 1), "PNG"), "1", (255, 255, 255)),
        (encode_image(flat("P", 0).convert("P"), "PNG"), "palette", (0, 0, 0)),
        (encode_image(flat("RGBA", (255, 0, 0, 0)), "PNG"), "transparent", (255, 255, 255)),
        (
            encode_image(flat("RGBA", (255, 0, 0, 0)), "WEBP", lossless=True),
            "transparent",
            (255,) * 3,
        ),
        (encode_image(flat("LA", (10, 255)), "PNG"), "transparent", (10, 10, 10)),
        (encode_image(flat("I;16", 257 * 200), "PNG"), "16-bit", (200, 200, 200)),
        (sixteen_bit_rgb(257 * 200), None, (200, 200, 200)),
        (encode_image(flat("CMYK", (0, 0, 0, 0)), "JPEG"), "CMYK", (255, 255, 255)),
        (
            encode_image(flat("RGB", (9, 9, 9)), "PNG", transparency=(9, 9, 9)),
            "transparent",
            (255,) * 3,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_conversion_to_rgb(content: bytes, converted: str | None, colour: tuple[int, ...]) -> None:
    pixels, converted_from, *_ = TRANSFORM.decode(content)
    assert converted_from == converted
    assert pixels.shape == (32, 32, 3)
    assert (pixels == np.array(colour, np.uint8)).all()


def test_background() -> None:
    pixels, *_ = ImageTransform("folder", 32, background="#102030").decode(
        encode_image(flat("RGBA", (255, 0, 0, 0)), "PNG")
    )
    assert (pixels == [16, 32, 48]).all()


def test_crop_and_resize_are_those_of_pillow() -> None:
    image = smooth_image(0)
    pixels, *_ = ImageTransform("celeba", 64, crop=108).decode(encode_image(image, "PNG"))
    left, top = (178 - 108) // 2, (218 - 108) // 2
    square = image.crop((left, top, left + 108, top + 108))
    assert np.array_equal(pixels, np.asarray(square.resize((64, 64), Image.Resampling.BICUBIC)))


def test_antialiasing() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels, *_ = TRANSFORM.decode(encode_image(Image.fromarray(stripes), "PNG"))
    assert np.abs(pixels[4:-4, 4:-4].astype(int) - 127).max() <= 2


def test_exif_orientation() -> None:
    image = Image.new("RGB", (60, 60), "black")
    image.paste("white", (0, 0, 60, 30))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels, *_ = TRANSFORM.decode(encode_image(image, "JPEG", exif=exif, quality=100))
    assert pixels[:8].mean() < 20
    assert pixels[-8:].mean() > 235


def test_halves_of_a_pair() -> None:
    both = Image.new("RGB", (80, 40), "black")
    both.paste("white", (40, 0, 80, 40))
    pixels, *_ = ImageTransform("pairs", 32, paired=True).decode(encode_image(both, "PNG"))
    assert pixels.shape == (2, 32, 32, 3)
    assert pixels[0].max() == 0
    assert pixels[1].min() == 255


INVALID: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"not an image", "is no JPEG, PNG, WEBP, "),
    "psd": (lambda: b"8BPS\0\1" + bytes(60), "is no JPEG, PNG, WEBP, "),
    "cut jpeg": (
        lambda: encode_image(smooth_image(0))[:2000],
        "is damaged (image file is truncated",
    ),
    "cut png": (lambda: encode_image(smooth_image(0), "PNG")[:2000], "is damaged ("),
    "cut webp": (lambda: encode_image(smooth_image(0), "WEBP")[:500], "is "),
    "one pixel": (
        lambda: encode_image(smooth_image(0, 1, 1), "PNG"),
        "is 1x1 pixels, less than half of the size 32",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_files(name: str) -> None:
    content, message = INVALID[name]
    with pytest.raises(InvalidImageError) as raised:
        TRANSFORM.decode(content())
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_image_smaller_than_the_crop() -> None:
    with pytest.raises(InvalidImageError, match="is 90x80 pixels, less than the crop of 108"):
        ImageTransform("celeba", 64, crop=108).decode(encode_image(smooth_image(0, 90, 80)))


def test_pair_of_odd_width() -> None:
    with pytest.raises(InvalidImageError, match="is 81 pixels wide; a pair has an even width"):
        ImageTransform("pairs", 32, paired=True).decode(encode_image(smooth_image(0, 81, 40)))


def test_decompression_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InvalidImageError, match="has more pixels than Pillow accepts as safe"):
        TRANSFORM.decode(encode_image(smooth_image(0), "PNG"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 7}, "size is 7; it must lie in 8..1024"),
        ({"size": 64, "crop": 40}, "crop is 40, less than the size 64"),
        ({"background": "whight"}, "background is 'whight'; it must be a colour"),
    ],
)
def test_values_out_of_range(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ImageTransform("folder", **settings)  # type: ignore[arg-type]  # wrong on purpose
