"""Convert the items of any dataset, images of many types, to 8-bit images and classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

__all__ = ["OVERSHOOT", "InvalidItemError", "ItemFormat", "Pixels", "channels_last", "class_of"]

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
"""An 8-bit image, (H, W, C)."""

CHANNELS = (1, 3, 4)
"""Numbers of channels that are recognised; the fourth one is opacity."""

OVERSHOOT = 0.1
"""Share of the range of values by which resampling filters may leave it."""


class InvalidItemError(ValueError):
    """An item that is no image, or a label that is no class; the message is a predicate."""


@dataclass(frozen=True)
class ItemFormat:
    """What the items of a dataset are, and the images that are made of them.

    Args:
        size: height and width of the result, in pixels; None keeps those of the image.
        fit: for images of another size or shape: `crop` keeps the centre square, `pad` adds
            borders to the shorter side, `stretch` changes the aspect ratio.
        background: colour behind transparent pixels and of borders.
        channels: 1 for grey, 3 for colour; None keeps those of the image.
        value_range: values of black and white; None for those of the type, 0 and 1 for floats.
        image_key: key of the image in an item that is a mapping.
        label_key: key of the class in an item that is a mapping.
    """

    size: int | None = None
    fit: str = "crop"
    background: str = "white"
    channels: int | None = None
    value_range: tuple[float, float] | None = None
    image_key: str = "image"
    label_key: str = "label"

    def split(self, item: Any) -> tuple[Any, Any]:
        """Return the image of an item and its label, None where it has none.

        Raises:
            InvalidItemError: the item is a mapping without the key of the image, or empty.
        """
        if isinstance(item, Mapping):
            if self.image_key not in item:
                keys = ", ".join(map(str, item))
                raise InvalidItemError(
                    f"is a mapping without the key {self.image_key!r}; its keys are {keys}; "
                    f"set data.image_key"
                )
            return item[self.image_key], item.get(self.label_key)
        if isinstance(item, tuple | list):
            if not item:
                raise InvalidItemError("is empty; items must be images, or an image and its class")
            return item[0], item[1] if len(item) > 1 else None
        return item, None

    def pixels(self, image: Any) -> Pixels:
        """Convert an image of any type to 8 bits, and fit it to the size.

        Args:
            image: a Pillow image, or a tensor or array (H, W), (C, H, W) or (H, W, C).

        Returns:
            uint8 (H, W, C) with C = 1 or 3.

        Raises:
            InvalidItemError: it is no image, or its values or channels are out of range.
        """
        values = self._eight_bits(channels_last(image))
        if values.shape[2] == 4:
            values = self._without_opacity(values)
        if self.channels == 3 and values.shape[2] == 1:
            values = values.repeat(3, 2)
        elif self.channels == 1 and values.shape[2] == 3:
            values = np.asarray(Image.fromarray(values).convert("L"))[..., None]
        return values if self.size is None else self._fit(values, self.size)

    def _eight_bits(self, values: np.ndarray[Any, Any]) -> Pixels:
        """Scale the values of an image to 0..255."""
        if values.dtype == np.uint8 and self.value_range is None:
            return values
        if values.dtype.kind not in "buif":
            raise InvalidItemError(f"has values of type {values.dtype}, which are no numbers")
        low, high = self.value_range or default_range(values.dtype)
        numbers = values.astype(np.float64)
        least, most = numbers.min(), numbers.max()
        slack = OVERSHOOT * (high - low)
        if not (low - slack <= least and most <= high + slack):  # NaN satisfies no comparison
            raise InvalidItemError(
                f"has values from {least:.4g} to {most:.4g}; they must lie in {low:g} to {high:g}, "
                f"or set data.value_range=[BLACK,WHITE]"
            )
        scaled = np.rint((numbers - low) * (255 / (high - low)))
        return np.asarray(scaled.clip(0, 255), dtype=np.uint8)

    def _without_opacity(self, values: Pixels) -> Pixels:
        """Put the background behind a partly transparent image."""
        image = Image.fromarray(values)
        background = Image.new("RGBA", image.size, self.background)
        return np.asarray(Image.alpha_composite(background, image).convert("RGB"))

    def _fit(self, pixels: Pixels, size: int) -> Pixels:
        """Resize an image (H, W, C) to a square of `size` pixels by Pillow's bicubic filter."""
        if pixels.shape[:2] == (size, size):
            return pixels
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        square, bicubic = (size, size), Image.Resampling.BICUBIC
        if self.fit == "pad":
            resized = ImageOps.pad(image, square, bicubic, color=self.background)
        elif self.fit == "stretch":
            resized = image.resize(square, bicubic)
        else:
            side = min(image.size)
            x, y = round((image.width - side) / 2), round((image.height - side) / 2)
            # crop before resizing: resize(box=...) would filter pixels outside the box too
            resized = image.crop((x, y, x + side, y + side)).resize(square, bicubic)
        return np.asarray(resized).reshape(size, size, -1)


def channels_last(image: Any) -> np.ndarray[Any, Any]:
    """Return an image as an array (H, W, C) with C = 1, 3 or 4; its values are unchanged.

    A tensor whose first and last dimensions could both be channels has them first, an array last.

    Raises:
        InvalidItemError: it is no image.
    """
    if isinstance(image, Image.Image):
        return _from_pillow(image)
    is_tensor = isinstance(image, torch.Tensor)
    if is_tensor:
        image = image.detach().cpu()
        image = (image.float() if image.dtype == torch.bfloat16 else image).numpy()
    if not isinstance(image, np.ndarray):
        raise InvalidItemError(
            f"is a {type(image).__name__}, not an image: a Pillow image, a tensor or an array"
        )
    shape = image.shape
    if image.ndim == 2 and image.size:
        return image[..., None]
    if image.ndim == 3 and image.size:
        first, last = shape[0] in CHANNELS, shape[-1] in CHANNELS
        if first and (is_tensor or not last):
            return np.moveaxis(image, 0, -1)
        if last:
            return image
    raise InvalidItemError(
        f"has the shape {tuple(shape)}; an image is (H, W), (C, H, W) or (H, W, C) with 1 channel, "
        f"3, or 4 with opacity"
    )


def _from_pillow(image: Image.Image) -> np.ndarray[Any, Any]:
    """Return a Pillow image as an array: grey, of 16 or 32 bits too, colour, or with opacity."""
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return np.asarray(image.convert("L"))[..., None]
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image.convert("I") if image.mode == "I;16B" else image)[..., None]
    has_opacity = "A" in image.mode.upper().replace("LAB", "") or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if has_opacity else "RGB"))


def default_range(kind: np.dtype[Any]) -> tuple[float, float]:
    """Return the values of black and white of a type of numbers."""
    if kind.kind in "bf":
        return 0.0, 1.0
    return (0.0, 65535.0) if kind == np.uint16 else (0.0, 255.0)


def class_of(label: Any, classes: int | None = None) -> int:
    """Return a label as a class.

    Args:
        label: an integer, or an array or tensor with one.
        classes: number of classes; None if it is not known yet.

    Raises:
        InvalidItemError: it is no integer, negative, or not less than `classes`.
    """
    is_array = isinstance(label, torch.Tensor | np.ndarray | np.generic)
    value = label.item() if is_array and math.prod(label.shape) == 1 else label
    if not isinstance(value, Integral):
        raise InvalidItemError(
            f"has the label {_short(label)}, which is no whole number; set data.labels=false, or "
            f"map labels to 0, 1, 2, … in the dataset"
        )
    number = int(value)
    if number < 0 or (classes is not None and number >= classes):
        valid = "0, 1, 2, …" if classes is None else f"0 to {classes - 1}"
        raise InvalidItemError(
            f"has the label {number}; valid are {valid}; set data.labels=false, or correct it"
        )
    return number


def _short(value: Any) -> str:
    """Describe a value in a few words."""
    if isinstance(value, torch.Tensor | np.ndarray) and not isinstance(value, np.generic):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a {type(value).__name__} of {len(value)} elements"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
