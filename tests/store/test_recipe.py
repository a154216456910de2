"""A file becomes pixels, or is said to hold none."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from trees import encoded, picture

from gan_lightning.errors import UserError
from gan_lightning.store.transform import Recipe, Unusable

RECIPE = Recipe("folder", 32)


def flat(mode: str, colour: object, size: tuple[int, int] = (40, 40)) -> Image.Image:
    return Image.new(mode, size, colour)


def sixteen_bit_rgb(value: int, side: int = 40) -> bytes:
    """Write a PNG of three channels of 16 bits, which Pillow reads and cannot write."""
    row = b"\0" + struct.pack(">3H", value, value, value) * side

    def chunk(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(row * side)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("content", "converted", "colour"),
    [
        (encoded(flat("RGB", (200, 100, 50)), "PNG"), None, (200, 100, 50)),
        (encoded(flat("L", 90), "PNG"), "grey", (90, 90, 90)),
        (encoded(flat("1", 1), "PNG"), "1", (255, 255, 255)),
        (encoded(flat("P", 0).convert("P"), "PNG"), "palette", (0, 0, 0)),
        (encoded(flat("RGBA", (255, 0, 0, 0)), "PNG"), "transparent", (255, 255, 255)),
        (encoded(flat("RGBA", (255, 0, 0, 0)), "WEBP", lossless=True), "transparent", (255,) * 3),
        (encoded(flat("LA", (10, 255)), "PNG"), "transparent", (10, 10, 10)),
        (encoded(flat("I;16", 257 * 200), "PNG"), "16-bit", (200, 200, 200)),
        (sixteen_bit_rgb(257 * 200), None, (200, 200, 200)),
        (encoded(flat("CMYK", (0, 0, 0, 0)), "JPEG"), "CMYK", (255, 255, 255)),
        (encoded(flat("RGB", (9, 9, 9)), "PNG", transparency=(9, 9, 9)), "transparent", (255,) * 3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_colours(content: bytes, converted: str | None, colour: tuple[int, ...]) -> None:
    pixels, what = RECIPE.pixels(content)
    assert what == converted
    assert pixels.shape == (32, 32, 3)
    assert (pixels == np.array(colour, np.uint8)).all()


def test_background() -> None:
    pixels, _ = Recipe("folder", 32, background="#102030").pixels(
        encoded(flat("RGBA", (255, 0, 0, 0)), "PNG")
    )
    assert (pixels == [16, 32, 48]).all()


def test_crop_and_resize_are_pillows() -> None:
    image = picture(0)
    pixels, _ = Recipe("celeba", 64, crop=108).pixels(encoded(image, "PNG"))
    left, top = (178 - 108) // 2, (218 - 108) // 2
    square = image.crop((left, top, left + 108, top + 108))
    assert np.array_equal(pixels, np.asarray(square.resize((64, 64), Image.Resampling.BICUBIC)))


def test_antialiasing() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels, _ = RECIPE.pixels(encoded(Image.fromarray(stripes), "PNG"))
    assert np.abs(pixels[4:-4, 4:-4].astype(int) - 127).max() <= 2


def test_upright() -> None:
    image = Image.new("RGB", (60, 60), "black")
    image.paste("white", (0, 0, 60, 30))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels, _ = RECIPE.pixels(encoded(image, "JPEG", exif=exif, quality=100))
    assert pixels[:8].mean() < 20
    assert pixels[-8:].mean() > 235


def test_pairs_are_halves() -> None:
    both = Image.new("RGB", (80, 40), "black")
    both.paste("white", (40, 0, 80, 40))
    pixels, _ = Recipe("pairs", 32, paired=True).pixels(encoded(both, "PNG"))
    assert pixels.shape == (2, 32, 32, 3)
    assert pixels[0].max() == 0
    assert pixels[1].min() == 255


def gif() -> bytes:
    content = io.BytesIO()
    picture(0, 40, 40).save(content, "GIF")
    return content.getvalue()


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"not a picture", "is no JPEG, PNG, WEBP picture"),
    "gif": (gif, "is no JPEG, PNG, WEBP picture"),
    "cut jpeg": (lambda: encoded(picture(0))[:2000], "is damaged (image file is truncated"),
    "cut png": (lambda: encoded(picture(0), "PNG")[:2000], "is damaged ("),
    "cut webp": (lambda: encoded(picture(0), "WEBP")[:500], "is "),
    "one pixel": (lambda: encoded(picture(0, 1, 1), "PNG"), "is 1x1 pixels, less than half of 32"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable(name: str) -> None:
    content, said = UNUSABLE[name]
    with pytest.raises(Unusable) as raised:
        RECIPE.pixels(content())
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_too_small_for_the_crop() -> None:
    with pytest.raises(Unusable, match="is 90x80 pixels, which hold no square of 108"):
        Recipe("celeba", 64, crop=108).pixels(encoded(picture(0, 90, 80)))


def test_no_two_halves() -> None:
    with pytest.raises(Unusable, match="is 81 pixels wide, which are no two halves"):
        Recipe("pairs", 32, paired=True).pixels(encoded(picture(0, 81, 40)))


def test_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Unusable, match="has more pixels than Pillow takes for safe"):
        RECIPE.pixels(encoded(picture(0), "PNG"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 7}, "size is 7; it must lie in 8..1024"),
        ({"size": 64, "crop": 40}, "crop is 40, smaller than the size 64"),
        ({"background": "whight"}, "background is 'whight', no colour"),
    ],
)
def test_values(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Recipe("folder", **settings)  # type: ignore[arg-type]  # wrong on purpose
