"""Pictures that runs have drawn, compressed and selected to fit into one HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_lightning.report.run_data import RunSummary

__all__ = ["Frame", "ImageKind", "ImageSlider", "evenly_spaced", "image_sliders"]

MAX_FRAMES = 24
"""Pictures of one kind and one run."""

MAX_BYTES = 3_500_000
"""All pictures of a report; base64 adds a third to this in the page."""

MAX_WIDTH = 1600
WEBP_QUALITY = 82


@dataclass(frozen=True)
class ImageKind:
    """Title and one-sentence description of a kind of picture."""

    title: str
    description: str


KINDS = {
    "samples": ImageKind("Samples", "Generated samples of the same latents at every update."),
    "traversal": ImageKind("Traversals", "One code varies along each row; all else is fixed."),
    "scatter": ImageKind("Points", "Generated points of the same latents over real points."),
    "pairs": ImageKind("Pairs", "Images of the same latents in each domain, side by side."),
    "translations": ImageKind("Translations", "Sources, their translations, and the targets."),
    "portrait": ImageKind(
        "Phase portrait", "Trajectory of both players over the vector field of their gradients."
    ),
    "weights": ImageKind("Critic's weights", "Distribution of the critic's weights."),
    "attacked": ImageKind(
        "Attacked digits", "Digits, perturbations, and the classes that the classifier predicts."
    ),
}


@dataclass(frozen=True)
class Frame:
    """One picture in a page.

    Attributes:
        update: generator update at which it was drawn.
        content: WebP file.
        width: width in pixels.
        height: height in pixels.
    """

    update: int
    content: bytes
    width: int
    height: int

    @property
    def data_uri(self) -> str:
        """The picture as a data URI."""
        return f"data:image/webp;base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True)
class ImageSlider:
    """Pictures of one kind of several runs, for a slider over updates.

    Attributes:
        kind: prefix of the pictures' file names.
        frames: index of the run -> its pictures in order of updates, at least one.
    """

    kind: str
    frames: dict[int, list[Frame]]

    @property
    def about(self) -> ImageKind:
        """Title and description of the kind."""
        return KINDS.get(self.kind, ImageKind(self.kind.replace("_", " ").capitalize(), ""))

    @property
    def updates(self) -> list[int]:
        """Updates at which any run has a picture."""
        return sorted({frame.update for frames in self.frames.values() for frame in frames})


def image_sliders(runs: Sequence[RunSummary], excluded: dict[int, set[str]]) -> list[ImageSlider]:
    """Read the pictures of all runs; halve their number until they fit into `MAX_BYTES`.

    Args:
        runs: runs in the order of the report.
        excluded: index of the run -> kinds that are not read.
    """
    limit = MAX_FRAMES
    sliders: dict[str, ImageSlider] = {}
    for index, run in enumerate(runs):
        for kind, files in run.folder.pictures().items():
            if kind in excluded.get(index, set()):
                continue
            selected = evenly_spaced(files, limit)
            frames = [frame for update, path in selected if (frame := _read_frame(update, path))]
            if frames:
                sliders.setdefault(kind, ImageSlider(kind, {})).frames[index] = frames
    while limit > 1 and _size(sliders.values()) > MAX_BYTES:
        limit = (limit + 1) // 2
        for slider in sliders.values():
            for index, frames in slider.frames.items():
                slider.frames[index] = (
                    [frames[-1]] if limit == 1 else frames[(len(frames) - 1) % 2 :: 2]
                )
    order = [*KINDS, *sorted(sliders.keys() - KINDS.keys())]
    return [sliders[kind] for kind in order if kind in sliders]


def evenly_spaced(files: dict[int, Path], count: int) -> list[tuple[int, Path]]:
    """Select at most `count` files at even distances, including the last one."""
    items = list(files.items())
    if len(items) <= count:
        return items
    indices = np.linspace(0, len(items) - 1, count).round().astype(int)
    return [items[index] for index in indices]


def _size(sliders: Iterable[ImageSlider]) -> int:
    frames = (frame for slider in sliders for part in slider.frames.values() for frame in part)
    return sum(len(frame.content) for frame in frames)


def _read_frame(update: int, path: Path) -> Frame | None:
    """Read and compress a picture; None for a file that is damaged."""
    try:
        with Image.open(path) as file:
            picture = file.convert("RGB")
    except (OSError, SyntaxError, ValueError):  # raised by Pillow for damaged files
        return None
    if picture.width > MAX_WIDTH:
        picture = picture.resize((MAX_WIDTH, round(picture.height * MAX_WIDTH / picture.width)))
    content = io.BytesIO()
    picture.save(content, "webp", quality=WEBP_QUALITY)
    return Frame(update, content.getvalue(), *picture.size)
