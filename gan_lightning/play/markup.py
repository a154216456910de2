"""Pictures as HTML: small PNGs inside the page, so that an answer is one message and no file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from gan_lightning.callbacks.figures import Array

__all__ = ["data_url", "figure", "image", "pixels_of"]

PREFIX = "data:image/png;base64,"

SMALLEST_CELL, LARGEST_CELL = 40, 96
"""Pixels of the page that a picture of a row has at least; wider pictures have their own width."""

LONGEST = 2**22
"""Characters of the longest drawing that is read; 256 x 256 pixels of three colours are 2^18."""


def data_url(picture: Array) -> str:
    """Write a picture, uint8 (H, W, C) of 1, 3 or 4 channels, as the address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(file, "png")
    return PREFIX + base64.b64encode(file.getvalue()).decode()


def pixels_of(url: str, shape: tuple[int, ...]) -> Array:
    """Read the picture at an address that `data_url` or a browser's canvas has made.

    Args:
        url: of a PNG.
        shape: (H, W, C) that it must have, C of 1 or 3.

    Returns:
        uint8 of this shape.

    Raises:
        ValueError: it is none, or of another size.
    """
    if not url.startswith(PREFIX) or len(url) > LONGEST:
        raise ValueError(f"a drawing must be an address that begins with {PREFIX}")
    try:
        with Image.open(io.BytesIO(base64.b64decode(url[len(PREFIX) :])), formats=["png"]) as file:
            if file.size != (shape[1], shape[0]):
                raise ValueError(
                    f"the drawing is {file.width} x {file.height} pixels; "
                    f"it must be {shape[1]} x {shape[0]}"
                )
            flat = file.convert("RGB")
    except OSError as error:
        raise ValueError("the drawing is no PNG that can be read") from error
    colours = np.asarray(flat)
    return colours if shape[2] == 3 else colours[..., :1]


def image(picture: Array, alternative: str) -> str:
    """Return an `img` element; `alternative` is what is read out."""
    return f'<img src="{data_url(picture)}" alt="{escape(alternative, quote=True)}">'


def figure(title: str, pictures: Sequence[Array], captions: Sequence[str], marked: int = -1) -> str:
    """Set pictures in a row, which breaks where the page is narrow, under a title.

    Args:
        title: of the row.
        pictures: uint8 (H, W, C).
        captions: of each; an empty one is not shown.
        marked: number of the one that is chosen.
    """
    cells = []
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        shown = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        chosen = ' class="chosen"' if place == marked else ""
        told = f"{title}: {caption or place + 1}"
        cells.append(f"<figure{chosen}>{image(picture, told)}{shown}</figure>")
    cell = min(LARGEST_CELL, max(SMALLEST_CELL, *(picture.shape[1] for picture in pictures)))
    return (
        f'<section><h3>{escape(title)}</h3><div class="row" style="--cell:{cell}px">'
        f"{''.join(cells)}</div></section>"
    )
