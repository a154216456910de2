"""Grids of images with a title and a name above each column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gan_lightning.callbacks.figures import Array, image_grid

if TYPE_CHECKING:
    from PIL import ImageFont

__all__ = [
    "COLUMNS",
    "balanced_labels",
    "class_grid",
    "class_titles",
    "labelled_grid",
    "side_by_side",
]

COLUMNS = 10
"""Columns of a grid, and classes that it shows."""

GAP = 20
"""Pixels between two grids."""

TITLE_SIZE, NAME_SIZE = 16, 13
"""Sizes of the text in pixels."""

LONGEST_NAME = 130
"""Pixels of a name that is written upwards, because it is wider than its column."""


def balanced_labels(count: int, classes: int) -> Tensor:
    """Return labels, int64 (count,), that alternate between the classes that a grid shows."""
    return torch.arange(count) % min(classes, COLUMNS)


def class_titles(classes: int, names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the title of a grid with a column per class, and the name of each column."""
    shown = min(classes, COLUMNS)
    title = "class" if shown == classes else f"class, {shown} of {classes:,}"
    return title, list(names[:shown]) if len(names) >= shown else [*map(str, range(shown))]


def class_grid(images: Tensor, labels: Tensor, classes: int, names: Sequence[str] = ()) -> Array:
    """Arrange images by class, in as many columns per class as make the grid square.

    Args:
        images: (N, C, H, W) in [-1, 1].
        labels: class of each image, (N,); images of classes after the tenth are left out.
        classes: number of classes.
        names: name of each class; by default its number.

    Returns:
        uint8 (H, W, 3); a class with fewer images than others ends in white cells.
    """
    title, shown = class_titles(classes, names)
    blocks = [images[labels == index] for index in range(len(shown))]
    columns = max(1, round(math.sqrt(sum(map(len, blocks))) / len(shown)))
    rows = max(1, math.ceil(max(map(len, blocks)) / columns))
    cells = images.new_ones(len(shown), rows * columns, *images.shape[1:])
    for cell, block in zip(cells, blocks, strict=True):
        cell[: len(block)] = block
    ordered = cells.unflatten(1, (rows, columns)).movedim(1, 0).flatten(0, 2)
    return labelled_grid(ordered, columns * len(shown), title, shown)


def labelled_grid(images: Tensor, columns: int, title: str, names: Sequence[str] = ()) -> Array:
    """Arrange images in a grid, row by row, under a title and a name for each column.

    Args:
        images: (N, C, H, W) in [-1, 1].
        columns: columns of the grid.
        title: one line, cut off where it is wider than the grid.
        names: of the columns; written upwards where one is wider than its column.

    Returns:
        uint8 (H, W, 3).
    """
    grid = image_grid(images, columns)
    parts = [_text(title, TITLE_SIZE, grid.shape[1]), *_names(names, grid.shape[1]), grid]
    return np.concatenate([_padded(part, width=grid.shape[1]) for part in parts])


def side_by_side(grids: Sequence[Array]) -> Array:
    """Draw pictures next to each other on white, with their lower edges on a line."""
    height = max(len(grid) for grid in grids)
    parts = [_padded(grid, height=height) for grid in grids]
    gap = np.full((height, GAP, 3), 255, np.uint8)
    return np.concatenate([part for grid in parts for part in (grid, gap)][:-1], 1)


def _names(names: Sequence[str], width: int) -> list[Array]:
    """Draw the row of names above a grid of this width."""
    if not names:
        return []
    column = (width - 2) // len(names)
    texts = [_text(name, NAME_SIZE, LONGEST_NAME) for name in names]
    if any(text.shape[1] > column for text in texts):
        texts = [np.rot90(text) for text in texts]
    height = max(map(len, texts))
    row = np.full((height, width, 3), 255, np.uint8)
    for index, text in enumerate(texts):
        text = text[:, :column]
        left = 2 + index * column + (column - text.shape[1]) // 2
        row[height - len(text) :, left : left + text.shape[1]] = text
    return [row]


def _text(text: str, size: int, width: int) -> Array:
    """Draw one line of black text on white, at most this wide, uint8 (H, W, 3)."""
    from PIL import Image, ImageDraw

    font = _font(size)
    while text and font.getlength(text) > width - 4:
        text = f"{text.removesuffix('…')[:-1]}…" if len(text) > 1 else ""
    picture = Image.new("RGB", (math.ceil(font.getlength(text)) + 4, size + 8), "white")
    ImageDraw.Draw(picture).text((2, size + 2), text, "black", font, anchor="ls")
    return np.asarray(picture)


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of matplotlib's figures."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size)


def _padded(picture: Array, *, width: int = 0, height: int = 0) -> Array:
    """Add white above and to the right."""
    above, right = max(0, height - len(picture)), max(0, width - picture.shape[1])
    return np.pad(picture, ((above, 0), (0, right), (0, 0)), constant_values=255)
