"""SVG drawings as images, by resvg; cairosvg draws masks wrongly."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from io import BytesIO

from PIL import Image

__all__ = ["encode_png", "package_versions", "render_svg"]


def render_svg(svg: str, size: int, background: str = "white") -> Image.Image:
    """Render a square drawing.

    Args:
        svg: the document, with a square view box; text in it is not drawn with system fonts.
        size: height and width of the image in pixels.
        background: colour behind the drawing.

    Returns:
        An RGB image.

    Raises:
        ValueError: the document is no SVG, or the background no colour.
    """
    import resvg_py

    content = resvg_py.svg_to_bytes(
        svg_string=svg, width=size, height=size, background=background, skip_system_fonts=True
    )
    return Image.open(BytesIO(bytes(content))).convert("RGB")


def encode_png(image: Image.Image) -> bytes:
    """Return the content of a PNG file, compressed as little as possible, for speed."""
    content = BytesIO()
    image.save(content, "PNG", compress_level=0)
    return content.getvalue()


@cache
def package_versions(*packages: str) -> str:
    """Return the versions of packages that decide the pixels, for stamps of drawings."""
    return " ".join(f"{name} {version(name)}" for name in packages)
