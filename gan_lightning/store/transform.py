"""Transform of an image file into the pixels that a store holds."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from gan_lightning.errors import UserError

__all__ = ["FORMATS", "ImageTransform", "InvalidImageError", "Pixels"]

FORMATS = ("JPEG", "PNG", "WEBP")
"""Supported formats, recognised by the content of a file, not by its name."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class InvalidImageError(Exception):
    """A file without a usable image; the message is a predicate, for example `is empty`."""


@dataclass(frozen=True)
class ImageTransform:
    """Decode an image, crop its centre square, and resize it; these values decide the pixels.

    Images are resized by Pillow's bicubic filter, which antialiases. Each half of a pair is cropped
    and resized by itself.

    Args:
        dataset: celeba, lsun, folder or pairs.
        size: height and width of the result, in pixels, 8 to 1024.
        crop: side of the centre square, in pixels; 0 for the largest square.
        background: colour behind transparent pixels: a name such as `white`, or #rrggbb.
        paired: whether a file holds a pair of images, next to each other.

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

    def decode(self, content: bytes) -> tuple[Pixels, str | None]:
        """Decode and transform the content of an image file.

        Returns:
            uint8 of shape `shape`, and the kind of image that was converted to 8-bit RGB, for
            example "CMYK", or None where it was not converted.

        Raises:
            InvalidImageError: the format is not supported, or the image is damaged or too small.
        """
        if not content:
            raise InvalidImageError("is empty")
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                rgb, converted_from = self._to_rgb(image)
        except UnidentifiedImageError:
            raise InvalidImageError(f"is no {', '.join(FORMATS)} image") from None
        except Image.DecompressionBombError:
            raise InvalidImageError("has more pixels than Pillow accepts as safe") from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise InvalidImageError(f"is damaged ({' '.join(str(error).split())})") from None
        return self._crop_and_resize(rgb), converted_from

    def _to_rgb(self, image: Image.Image) -> tuple[Image.Image, str | None]:
        """Return an upright 8-bit RGB image, and its kind where it was converted."""
        if "exif" in image.info:
            ImageOps.exif_transpose(image, in_place=True)
        mode = image.mode
        if mode == "RGB" and "transparency" not in image.info:
            image.load()
            return image, None
        if mode.startswith("I") or mode == "F":
            values = np.asarray(image, dtype=np.float64)
            eight_bits = np.clip(np.rint(values / 257), 0, 255).astype(np.uint8)
            return Image.fromarray(eight_bits).convert("RGB"), "16-bit"
        if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
            foreground = image.convert("RGBA")
            background = Image.new("RGBA", foreground.size, self.background)
            return Image.alpha_composite(background, foreground).convert("RGB"), "transparent"
        return image.convert("RGB"), {"L": "grey", "P": "palette"}.get(mode, mode)

    def _crop_and_resize(self, image: Image.Image) -> Pixels:
        if not self.paired:
            return self._centre_square(image, 0, image.width)
        half, odd = divmod(image.width, 2)
        if odd:
            raise InvalidImageError(f"is {image.width} pixels wide; a pair has an even width")
        return np.stack([self._centre_square(image, half * side, half) for side in range(2)])

    def _centre_square(self, image: Image.Image, left: int, width: int) -> Pixels:
        """Crop the centre square of the columns `left` to `left + width`, and resize it."""
        dimensions = f"is {width}x{image.height} pixels"
        side = self.crop or min(width, image.height)
        if side > min(width, image.height):
            raise InvalidImageError(f"{dimensions}, less than the crop of {side}")
        if 2 * side < self.size:
            raise InvalidImageError(f"{dimensions}, less than half of the size {self.size}")
        x, y = left + round((width - side) / 2), round((image.height - side) / 2)
        # crop before resizing: resize(box=...) would filter pixels outside the box too
        square = image.crop((x, y, x + side, y + side))
        return np.asarray(square.resize((self.size, self.size), Image.Resampling.BICUBIC))
