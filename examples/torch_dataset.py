"""A torch Dataset of images that are made on the fly, in one file outside of the package.

gan-lightning train examples/torch_dataset.yaml
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from torch.utils.data import Dataset

__all__ = ["Shapes"]


class Shapes(Dataset[tuple[Any, int]]):
    """Coloured discs, squares and triangles on black, of random size and place.

    It follows torchvision's datasets: images are Pillow images, `classes` names the classes,
    `targets` lists the class of every image, and `transform` changes an image. An image is a
    function of its number, so that a resumed run reads the same data.

    Args:
        count: number of images.
        size: height and width in pixels.
        train: training images; False for as many others.
        transform: function of an image, or None.
    """

    classes = ("disc", "square", "triangle")

    def __init__(
        self,
        count: int = 3000,
        size: int = 32,
        train: bool = True,
        transform: Callable[[Image.Image], Any] | None = None,
    ) -> None:
        self.size, self.transform = size, transform
        self.first = 0 if train else count
        self.targets = [number % len(self.classes) for number in range(count)]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.targets)

    def __getitem__(self, number: int) -> tuple[Any, int]:
        """Draw an image, and return it with its class."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        rng = np.random.default_rng(self.first + number)
        radius = rng.uniform(0.15, 0.3) * self.size
        x, y = rng.uniform(radius, self.size - radius, 2)
        colour = tuple(rng.integers(100, 256, 3).tolist())
        image = Image.new("RGB", (self.size, self.size))
        draw = ImageDraw.Draw(image)
        corners = {0: None, 1: 4, 2: 3}[self.targets[number]]
        if corners is None:
            draw.circle((x, y), radius, fill=colour)
        else:
            draw.regular_polygon((x, y, radius), corners, fill=colour)
        return (image if self.transform is None else self.transform(image)), self.targets[number]
