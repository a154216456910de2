"""Transform of an image file into the pixels that a store holds."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageColor, PngImagePlugin, UnidentifiedImageError

from gan_lightning.errors import UserError
from gan_lightning.store.layout import FITS

__all__ = ["FORMATS", "DecodedImage", "ImageTransform", "InvalidImageError", "Pixels"]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Supported formats, recognised by the content of a file, not by its name."""

PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY  # else 1 MiB of text is an error

ORIENTATION = 0x0112
"""EXIF tag of the transformation that makes an image upright."""

XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])""")
"""The same in XMP, as an attribute or an element."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Value of the orientation tag -> transformation."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class InvalidImageError(Exception):
    """A file without a usable image; the message is a predicate, for example `is empty`."""


class DecodedImage(NamedTuple):
    """The pixels of an image file, and what was done to get them.

    Attributes:
        pixels: uint8 of the shape of the transform.
        converted_from: kind of image that was converted to 8-bit RGB, for example "CMYK", or None.
        is_square: whether the image, or each half of a pair, is square.
        is_grey: whether no pixel has a colour.
    """

    pixels: Pixels
    converted_from: str | None
    is_square: bool
    is_grey: bool


@dataclass(frozen=True)
class ImageTransform:
    """Decode an image, make it square, and resize it; these values decide the pixels.

    Images are resized by Pillow's bicubic filter, which antialiases. Each half of a pair is made
    square and resized by itself.

    Args:
        dataset: celeba, lsun, folder or pairs.
        size: height and width of the result, in pixels, 8 to 1024.
        crop: side of the centre square, in pixels; 0 for the largest square.
        background: colour behind transparent pixels and of borders: a name such as `white`, or
            #rrggbb.
        paired: whether a file holds a pair of images, next to each other.
        fit: `crop` keeps the centre square, `pad` adds borders to the shorter side, `stretch`
            changes the aspect ratio.

    Raises:
        UserError: a value is out of range.
    """

    dataset: str
    size: int = 64
    crop: int = 0
    background: str = "white"
    paired: bool = False
    fit: str = "crop"

    def __post_init__(self) -> None:
        """Check the values."""
        if not 8 <= self.size <= 1024:
            raise UserError(f"size is {self.size}; it must lie in 8..1024 pixels")
        if self.fit not in FITS:
            raise UserError(f"fit is {self.fit!r}; valid are {', '.join(FITS)}")
        if self.crop and self.fit != "crop":
            raise UserError(
                f"crop is {self.crop} and fit is {self.fit}; a square is cropped with fit crop only"
            )
        if self.crop and self.crop < self.size:
            raise UserError(
                f"crop is {self.crop}, less than the size {self.size}; it must be at least the "
                f"size, or 0 for the largest square"
            )
        try:
            ImageColor.getrgb(self.background)
        except ValueError as error:
            raise UserError(
                f"background is {self.background!r}; it must be a colour: a name such as white, "
                f"or #rrggbb"
            ) from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result: (S, S, 3), or (2, S, S, 3) for a pair."""
        square = (self.size, self.size, 3)
        return (2, *square) if self.paired else square

    @property
    def image_bytes(self) -> int:
        """Size of the result in bytes."""
        return math.prod(self.shape)

    def differences(self, other: ImageTransform) -> list[str]:
        """List the values in which another transform differs, for example `size 64 -> 128`."""
        others = asdict(other)
        return [
            f"{key} {value} -> {others[key]}"
            for key, value in asdict(self).items()
            if others[key] != value
        ]

    def decode(self, content: bytes) -> DecodedImage:
        """Decode and transform the content of an image file.

        Raises:
            InvalidImageError: the format is not supported, or the image is damaged or too small.
        """
        if not content:
            raise InvalidImageError("is empty")
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                rgb, converted_from = self._to_rgb(_upright(image))
            pixels = self._fit(rgb)
        except InvalidImageError:
            raise
        except UnidentifiedImageError:
            raise InvalidImageError(f"is no {', '.join(FORMATS)} image") from None
        except Image.DecompressionBombError:
            raise InvalidImageError("has more pixels than Pillow accepts as safe") from None
        except Exception as error:  # Pillow raises errors of any class for damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InvalidImageError(f"is damaged ({reason})") from None
        width = rgb.width // 2 if self.paired else rgb.width
        grey = bool((pixels == pixels[..., :1]).all())
        return DecodedImage(pixels, converted_from, width == rgb.height, grey)

    def _to_rgb(self, image: Image.Image) -> tuple[Image.Image, str | None]:
        """Return an 8-bit RGB image, and its kind where it was converted."""
        mode = image.mode
        if mode == "RGB" and "transparency" not in image.info:
            return image, None
        if mode.startswith("I") or mode == "F":
            return Image.fromarray(_eight_bits(image)).convert("RGB"), "16-bit"
        if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
            foreground = image.convert("RGBA")
            background = Image.new("RGBA", foreground.size, self.background)
            return Image.alpha_composite(background, foreground).convert("RGB"), "transparent"
        return image.convert("RGB"), {"L": "grey", "P": "palette"}.get(mode, mode)

    def _fit(self, image: Image.Image) -> Pixels:
        if not self.paired:
            return self._square(image, 0, image.width)
        half, odd = divmod(image.width, 2)
        if odd:
            raise InvalidImageError(f"is {image.width} pixels wide; a pair has an even width")
        return np.stack([self._square(image, half * side, half) for side in range(2)])

    def _square(self, image: Image.Image, left: int, width: int) -> Pixels:
        """Make the columns `left` to `left + width` of an image square, and resize them."""
        dimensions = f"is {width}x{image.height} pixels"
        shorter = min(width, image.height)
        side = self.crop or (max(width, image.height) if self.fit == "pad" else shorter)
        if self.crop > shorter:
            raise InvalidImageError(f"{dimensions}, less than the crop of {side}")
        if 2 * side < self.size:
            raise InvalidImageError(f"{dimensions}, less than half of the size {self.size}")
        size, bicubic = (self.size, self.size), Image.Resampling.BICUBIC
        if self.fit != "crop":
            part = image.crop((left, 0, left + width, image.height))
            return np.asarray(
                part.resize(size, bicubic) if self.fit == "stretch" else self._padded(part)
            )
        x, y = left + round((width - side) / 2), round((image.height - side) / 2)
        # crop before resizing: resize(box=...) would filter pixels outside the box too
        square = image.crop((x, y, x + side, y + side))
        return np.asarray(square.resize(size, bicubic))

    def _padded(self, image: Image.Image) -> Image.Image:
        """Resize an image until its longer side fits, and put it in the middle of a square."""
        scale = self.size / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        square = Image.new("RGB", (self.size, self.size), self.background)
        resized = image.resize((width, height), Image.Resampling.BICUBIC)
        square.paste(resized, ((self.size - width) // 2, (self.size - height) // 2))
        return square


def _upright(image: Image.Image) -> Image.Image:
    """Load the pixels of an image, and rotate it by its orientation in EXIF or XMP."""
    image.load()  # first, since the metadata may follow the pixels
    orientation = _orientation(image)
    if orientation not in UPRIGHT:
        return image
    turned = image.transpose(UPRIGHT[orientation])
    turned.info = image.info
    return turned


def _orientation(image: Image.Image) -> int:
    """Return the orientation of a loaded image in EXIF, or else in XMP; 1 where there is none."""
    orientation = None
    with suppress(Exception):  # metadata that cannot be read; the pixels are intact
        orientation = image.getexif().get(ORIENTATION)
    if isinstance(orientation, int):
        return orientation
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    found = XMP_ORIENTATION.search(xmp.encode() if isinstance(xmp, str) else xmp)
    return int(found[1]) if found else 1


def _eight_bits(image: Image.Image) -> Pixels:
    """Scale an image of integers of 16 bits, or of floats in [0, 1], to 8 bits."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    is_unit_range = image.mode == "F" and values.size > 0 and values.max() <= 1
    scale = 255 if is_unit_range else 1 / 257
    return np.asarray(np.clip(np.rint(values * scale), 0, 255), dtype=np.uint8)
