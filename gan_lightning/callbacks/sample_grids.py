"""Pictures of a run: sample grids, traversals of codes and latents, scatter plots of 2-D worlds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from pytorch_lightning import Trainer
from torch import Tensor

from gan_lightning.callbacks.figures import Array, ImageCallback, keep_points, rendered, show
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.gans import GAN, InfoGAN
from gan_lightning.types import Condition

__all__ = ["SampleGrid", "Scatter", "TraversalGrid", "draw_scatter", "tile", "traversal_picture"]

SCATTER_POINTS = 2500
TRAVERSAL_COLUMNS = 10
SMALL = 32
CONTINUOUS_RANGE = 2.0
"""The paper's figure 2 runs the continuous codes from -2 to 2, beyond the prior's [-1, 1]."""


class SampleGrid(ImageCallback):
    """Draws what the generator makes of one fixed latent, as training goes on.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
        samples: images in the grid.
    """

    def __init__(self, folder: Path, every: int, samples: int) -> None:
        super().__init__(folder, every)
        self.samples = samples

    def act(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            seed = derived_seed(learner.seed, "sample grid")
            picture = tile(learner.sample(self.samples, seed=seed).data)
            show(trainer, learner, self.folder, "samples", picture)


class TraversalGrid(ImageCallback):
    """Draws what each code does, or for a GAN without codes each of the first latent directions.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
    """

    def act(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw one panel a code."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            seed = derived_seed(learner.seed, "traversal")
            show(trainer, learner, self.folder, "traversal", traversal_picture(learner, seed))


class Scatter(ImageCallback):
    """Draws generated points over real ones.

    The points are kept beside each picture, `points_UPDATES.npy` and once `points_real.npy`,
    float32 (N, 2); a row is made of the same latent throughout the run.

    Args:
        folder: for the PNG files and the points.
        every: updates between two pictures.
        real: points (N, 2).
    """

    def __init__(self, folder: Path, every: int, real: Tensor) -> None:
        super().__init__(folder, every)
        self.real = real[:SCATTER_POINTS]

    def act(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the plot."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            seed = derived_seed(learner.seed, "scatter")
            points = learner.sample(SCATTER_POINTS, seed=seed).data.cpu()
            keep_points(self.folder, "real", self.real.numpy())
            keep_points(self.folder, f"{learner.updates:07d}", points.numpy())
            picture = draw_scatter(self.real, points, f"after {learner.updates:,} updates")
            show(trainer, learner, self.folder, "scatter", picture)


def tile(images: Tensor, columns: int | None = None) -> Array:
    """Lay images side by side; small ones are drawn twice as large.

    Args:
        images: (N, C, H, W) in [-1, 1], C of 1 or 3.
        columns: of the grid; by default as near to a square as N allows.

    Returns:
        uint8 (rows (H + 2) + 2, columns (W + 2) + 2, 3), with a border of two grey pixels; H and W
        as drawn.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    pixels = to_uint8(images)
    if pixels.shape[2] <= SMALL:
        pixels = pixels.repeat(2, axis=1).repeat(2, axis=2)
    height, width = pixels.shape[1:3]
    grid = np.full((rows * (height + 2) + 2, columns * (width + 2) + 2, 3), 96, np.uint8)
    for index, image in enumerate(pixels):
        top, left = (index // columns) * (height + 2) + 2, (index % columns) * (width + 2) + 2
        grid[top : top + height, left : left + width] = image
    return grid


def to_uint8(images: Tensor) -> Array:
    """Turn images (N, C, H, W) in [-1, 1] into uint8 (N, H, W, C)."""
    pixels: Array = to_uint8_nhwc(images).cpu().numpy()
    return pixels


def traversal_picture(gan: GAN, seed: int, rows: int = 8) -> Array:
    """Draw panels in each of which one code runs along the row and all else stays.

    Args:
        gan: with images as data.
        seed: of what stays fixed in each row.
        rows: of each panel.

    Returns:
        uint8 (H, W, 3).
    """
    panels = [
        (title, tile(gan.sample(len(moved.latent), moved, seed=seed).data, TRAVERSAL_COLUMNS))
        for title, moved in traversals(gan, seed, rows)
        if moved.latent is not None
    ]
    return _titled(panels)


def traversals(gan: GAN, seed: int, rows: int) -> list[tuple[str, Condition]]:
    """List (what moves, complete conditions row by row) for each code of a GAN.

    A GAN without codes moves along its first latent directions. Rows of an InfoGAN's continuous
    codes differ in category, so that the same change is seen on every kind of datum.
    """
    columns = TRAVERSAL_COLUMNS
    fixed = gan.sample(rows, seed=seed).condition
    still = {name: part.repeat_interleave(columns, 0) for name, part in fixed.parts().items()}
    moves: list[tuple[str, Condition]] = []
    if "labels" in still and gan.data.classes is not None:
        labels = torch.arange(columns, device=still["labels"].device).remainder(gan.data.classes)
        title = f"classes 0 to {min(gan.data.classes, columns) - 1}"
        moves.append((title, Condition(**{**still, "labels": labels.repeat(rows)})))
    sizes = list(gan.config.categorical_codes) if isinstance(gan, InfoGAN) else []
    for index, size in enumerate(sizes):
        codes = still["categorical"].clone()
        codes[:, index] = torch.arange(columns, device=codes.device).remainder(size).repeat(rows)
        title = f"c{index + 1}: categories 0 to {min(size, columns) - 1}"
        moves.append((title, Condition(**{**still, "categorical": codes})))
    name = "continuous" if isinstance(gan, InfoGAN) else "latent"
    reach = CONTINUOUS_RANGE if isinstance(gan, InfoGAN) else 1.0
    count = still[name].shape[1] if isinstance(gan, InfoGAN) else min(2, still[name].shape[1])
    for index in range(count):
        parts = dict(still)
        if "categorical" in parts:
            codes = parts["categorical"].clone()
            codes[:, 0] = torch.arange(rows, device=codes.device).repeat_interleave(columns)
            parts["categorical"] = codes.remainder_(sizes[0]) if len(sizes) == 1 else codes
        parts[name] = parts[name].clone()
        values = torch.linspace(-reach, reach, columns, device=parts[name].device)
        parts[name][:, index] = values.repeat(rows)
        label = f"c{len(sizes) + index + 1}" if isinstance(gan, InfoGAN) else f"z{index + 1}"
        moves.append((f"{label}: from {-reach:g} to {reach:g}", Condition(**parts)))
    return moves


def _titled(panels: list[tuple[str, Array]]) -> Array:
    """Set pictures of one height beside each other, each under its title."""
    from matplotlib.figure import Figure

    height, width = panels[0][1].shape[:2]
    size = (len(panels) * (width + 20) / 100, (height + 50) / 100)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, picture) in zip(axes, panels, strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(title, fontsize=14)
        axis.set_axis_off()
    return rendered(figure)


def draw_scatter(real: Tensor, generated: Tensor, title: str) -> Array:
    """Draw generated points (M, 2) over real ones (N, 2), the axes fixed by the real ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axis = figure.subplots()
    for points, colour, label in ((real, "#b0b0b0", "real"), (generated, "#d1495b", "generated")):
        x, y = points.numpy().T
        axis.scatter(x, y, s=4, color=colour, alpha=0.6, label=label, linewidths=0)
    reach = 1.25 * real.abs().max().item()
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=title)
    figure.legend(loc="outside lower center", ncols=2, markerscale=3, frameon=False)
    return rendered(figure)
