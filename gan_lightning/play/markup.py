"""Images as HTML, embedded as data URLs, so that a response needs no further request or file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from gan_lightning.callbacks.figures import Array

__all__ = ["decode_data_url", "encode_data_url", "image_row", "img_tag"]

PREFIX = "data:image/png;base64,"

MIN_CELL, MAX_CELL = 40, 96
"""Range of the width of an image in a row, in CSS pixels; its own width within that range."""

MAX_URL_LENGTH = 2**22
"""Longest data URL that is decoded, in characters; 256 x 256 RGB pixels take about 2^18."""


def encode_data_url(image: Array) -> str:
    """Encode an image, uint8 (H, W, C) with C in 1, 3 or 4, as the data URL of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(file, "png")
    return PREFIX + base64.b64encode(file.getvalue()).decode()


def decode_data_url(url: str, shape: tuple[int, ...]) -> Array:
    """Decode an image that `encode_data_url` or a browser's canvas encoded.

    Args:
        url: data URL of a PNG.
        shape: expected shape (H, W, C), C of 1 or 3.

    Returns:
        Image of that shape, uint8.

    Raises:
        ValueError: the URL is no PNG, or its image has another size.
    """
    if not url.startswith(PREFIX) or len(url) > MAX_URL_LENGTH:
        raise ValueError(f"a drawing must be a data URL that begins with {PREFIX}")
    try:
        with Image.open(io.BytesIO(base64.b64decode(url[len(PREFIX) :])), formats=["png"]) as file:
            if file.size != (shape[1], shape[0]):
                raise ValueError(
                    f"the drawing is {file.width} x {file.height} pixels; "
                    f"it must be {shape[1]} x {shape[0]}"
                )
            rgb = np.asarray(file.convert("RGB"))
    except OSError as error:
        raise ValueError("the drawing is not a readable PNG") from error
    return rgb if shape[2] == 3 else rgb[..., :1]


def img_tag(image: Array, alt: str) -> str:
    """Return an `img` element with an alternative text."""
    return f'<img src="{encode_data_url(image)}" alt="{escape(alt, quote=True)}">'


def image_row(
    title: str, images: Sequence[Array], captions: Sequence[str], chosen: int = -1
) -> str:
    """Return the HTML of a titled row of images that wraps on a narrow page.

    Args:
        title: of the row.
        images: uint8 (H, W, C).
        captions: of the images; an empty one is not shown.
        chosen: index of the highlighted image; -1 for none.
    """
    cells = []
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        figcaption = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        css_class = ' class="chosen"' if index == chosen else ""
        alt = f"{title}: {caption or index + 1}"
        cells.append(f"<figure{css_class}>{img_tag(image, alt)}{figcaption}</figure>")
    width = min(MAX_CELL, max(MIN_CELL, *(image.shape[1] for image in images)))
    return (
        f'<section><h3>{escape(title)}</h3><div class="row" style="--cell:{width}px">'
        f"{''.join(cells)}</div></section>"
    )
