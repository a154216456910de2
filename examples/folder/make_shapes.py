"""Draw 300 pictures of circles, squares and triangles: PNG files of many sizes, transparent.

python make_shapes.py my_shapes
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

CLASSES = {"circle": 40, "square": 4, "triangle": 3}
"""Name of a class -> corners of its shape; 40 of them look like a circle."""


def draw(corners: int, rng: random.Random) -> Image.Image:
    """Draw a regular polygon of a random colour, size and place on a transparent background."""
    width, height = rng.randint(48, 120), rng.randint(48, 120)
    radius = min(width, height) * rng.uniform(0.25, 0.45)
    x = width / 2 + rng.uniform(-0.05, 0.05) * width
    y = height / 2 + rng.uniform(-0.05, 0.05) * height
    turn = rng.uniform(-0.2, 0.2) + math.pi / corners
    points = [
        (
            x + radius * math.sin(turn + 2 * math.pi * corner / corners),
            y + radius * math.cos(turn + 2 * math.pi * corner / corners),
        )
        for corner in range(corners)
    ]
    colour = tuple(rng.randint(0, 220) for _ in range(3))
    image = Image.new("RGBA", (width, height))
    ImageDraw.Draw(image).polygon(points, fill=(*colour, 255))
    return image


def main(folder: Path, count: int = 300) -> None:
    """Write the pictures, a third of them of each class, to sub-folders of a folder."""
    rng = random.Random(0)
    for number in range(count):
        name = list(CLASSES)[number % len(CLASSES)]
        (folder / name).mkdir(parents=True, exist_ok=True)
        draw(CLASSES[name], rng).save(folder / name / f"{number:03d}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "my_shapes"))
