"""How a picture becomes the pixels of a store."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from gan_lightning.errors import UserError

__all__ = ["FORMATS", "Pixels", "Recipe", "Unusable"]

FORMATS = ("JPEG", "PNG", "WEBP")
"""Kinds of files that are read; the content decides, not the name."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class Unusable(Exception):  # noqa: N818 - a picture's fault, which is counted
    """A file that holds no picture for the store; the message says why, after its name."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the pixels of a store, given the pictures.

    The centre square of a picture is cut out and resized by Pillow's bicubic filter, which
    antialiases. So are both halves of a picture that is a pair.

    Args:
        dataset: celeba, lsun, folder or pairs.
        size: height and width in the store, in pixels.
        crop: side of the square that is cut out, in pixels; 0 for the largest that fits.
        background: colour that shows through transparent pixels.
        paired: whether a picture is two side by side.

    Raises:
        UserError: a value is out of range.
    """

    dataset: str
    size: int = 64
    crop: int = 0
    background: str = "white"
    paired: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if not 8 <= self.size <= 1024:
            raise UserError(f"size is {self.size}; it must lie in 8..1024 pixels")
        if self.crop and self.crop < self.size:
            raise UserError(
                f"crop is {self.crop}, smaller than the size {self.size}; give at least that, or 0"
            )
        try:
            ImageColor.getrgb(self.background)
        except ValueError as error:
            raise UserError(
                f"background is {self.background!r}, no colour; give a name, as white, or #rrggbb"
            ) from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what a picture becomes: (S, S, 3), or (2, S, S, 3) of a pair."""
        square = (self.size, self.size, 3)
        return (2, *square) if self.paired else square

    @property
    def bytes_each(self) -> int:
        """Bytes of what a picture becomes."""
        return math.prod(self.shape)

    def differences(self, other: Recipe) -> list[str]:
        """Say which values another recipe has, as `size 64 -> 128`."""
        theirs = asdict(other)
        return [
            f"{key} {value} -> {theirs[key]}"
            for key, value in asdict(self).items()
            if theirs[key] != value
        ]

    def pixels(self, content: bytes) -> tuple[Pixels, str | None]:
        """Decode a file.

        Returns:
            uint8 of `shape`, and what had to be converted, as "CMYK", or None.

        Raises:
            Unusable: the content is no whole picture of a known kind, or too small.
        """
        if not content:
            raise Unusable("is empty")
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                colours, converted = self._in_colours(image)
        except UnidentifiedImageError:
            raise Unusable(f"is no {', '.join(FORMATS)} picture") from None
        except Image.DecompressionBombError:
            raise Unusable("has more pixels than Pillow takes for safe") from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise Unusable(f"is damaged ({' '.join(str(error).split())})") from None
        return self._squared(colours), converted

    def _in_colours(self, image: Image.Image) -> tuple[Image.Image, str | None]:
        """Return an upright RGB image, and what it was where it was none."""
        if "exif" in image.info:
            ImageOps.exif_transpose(image, in_place=True)
        mode = image.mode
        if mode == "RGB" and "transparency" not in image.info:
            image.load()
            return image, None
        if mode.startswith("I") or mode == "F":
            depths = np.asarray(image, dtype=np.float64)
            eight_bits = np.clip(np.rint(depths / 257), 0, 255).astype(np.uint8)
            return Image.fromarray(eight_bits).convert("RGB"), "16-bit"
        if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
            seen = image.convert("RGBA")
            behind = Image.new("RGBA", seen.size, self.background)
            return Image.alpha_composite(behind, seen).convert("RGB"), "transparent"
        return image.convert("RGB"), {"L": "grey", "P": "palette"}.get(mode, mode)

    def _squared(self, image: Image.Image) -> Pixels:
        if not self.paired:
            return self._square(image, 0, image.width)
        half, odd = divmod(image.width, 2)
        if odd:
            raise Unusable(f"is {image.width} pixels wide, which are no two halves")
        return np.stack([self._square(image, half * side, half) for side in range(2)])

    def _square(self, image: Image.Image, left: int, width: int) -> Pixels:
        """Cut the centre square out of a part of an image that is as high as it, and resize it."""
        said = f"is {width}x{image.height} pixels"
        side = self.crop or min(width, image.height)
        if side > min(width, image.height):
            raise Unusable(f"{said}, which hold no square of {side}")
        if 2 * side < self.size:
            raise Unusable(f"{said}, less than half of {self.size}")
        x, y = left + round((width - side) / 2), round((image.height - side) / 2)
        # cut out first: the filter of a resized box sees what is beside it
        square = image.crop((x, y, x + side, y + side))
        return np.asarray(square.resize((self.size, self.size), Image.Resampling.BICUBIC))
