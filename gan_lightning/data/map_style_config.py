"""Config keys of datasets whose items are images, or images and classes."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ImageColor

from gan_lightning.data.base import DataConfig
from gan_lightning.store.layout import FITS
from gan_lightning.utils.settings import setting

__all__ = ["MapStyleConfig"]


@dataclass
class MapStyleConfig(DataConfig):
    """Options of a dataset whose items are images, or images and classes."""

    size: int | None = setting(
        None,
        "Height and width in pixels; null keeps those of the images, which must then be equal.",
        minimum=8,
        maximum=1024,
    )
    fit: str = setting(
        "crop",
        "How images of another size or shape become square: the centre square, with borders, or "
        "with another aspect ratio.",
        choices=FITS,
    )
    background: str = setting(
        "white", "Colour behind transparent pixels and of borders: a name, or #rrggbb."
    )
    channels: str = setting(
        "auto",
        "Channels of the images: 1 is grey, 3 is colour; auto is 3 where one of the first images "
        "has a colour.",
        choices=("auto", "1", "3"),
    )
    value_range: list[float] | None = setting(
        None,
        "Values of black and white in the items; null means 0 and 255 for integers, 0 and 1 for "
        "floats, or -1 and 1 where they are negative.",
        length=2,
    )
    image_key: str = setting("image", "Key of the image, where items are mappings.")
    label_key: str = setting("label", "Key of the label, where items are mappings.")
    labels: bool = setting(True, "Use the labels of the items as classes; false ignores them.")
    mirror: bool = setting(False, "Mirror each training image with probability 0.5.")
    cache: bool = setting(
        True, "Keep decoded images in memory, as uint8, if half of the free memory holds them."
    )
    readers: int = setting(
        1,
        "Threads that decode items; more than 1 only where several threads can read the dataset.",
        minimum=1,
        maximum=64,
    )

    def validate(self) -> None:
        """Check the values of black and white, and the background.

        Raises:
            ValueError: naming the key.
        """
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            raise ValueError(
                f"value_range is {self.value_range}; its first value must be less than its second"
            )
        try:
            ImageColor.getrgb(self.background)
        except ValueError as error:
            raise ValueError(
                f"background is {self.background!r}; it must be a colour: a name such as white, "
                f"or #rrggbb"
            ) from error
