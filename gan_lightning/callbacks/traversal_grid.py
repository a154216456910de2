"""Traversals: rows of images along which one code, or one latent direction, changes."""

from __future__ import annotations

import torch
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import (
    Array,
    ImageCallback,
    image_grid,
    render_figure,
    save_picture,
)
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN, InfoGAN
from gan_lightning.types import Condition

__all__ = ["TraversalGrid", "draw_traversals"]

TRAVERSAL_COLUMNS = 10
CONTINUOUS_RANGE = 2.0
"""The paper's figure 2 runs the continuous codes from -2 to 2, beyond the prior's [-1, 1]."""


class TraversalGrid(ImageCallback):
    """Draws what each code does, or for a GAN without codes each of the first latent directions.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
    """

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw one panel a code."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            seed = derived_seed(learner.seed, "traversal")
            save_picture(trainer, learner, self.folder, "traversal", draw_traversals(learner, seed))


def draw_traversals(gan: GAN, seed: int, rows: int = 8) -> Array:
    """Draw panels in each of which one code runs along the row and all else stays.

    Args:
        gan: with images as data.
        seed: of what stays fixed in each row.
        rows: of each panel.

    Returns:
        uint8 (H, W, 3).
    """
    panels = [
        (title, image_grid(gan.sample(len(moved.latent), moved, seed=seed).data, TRAVERSAL_COLUMNS))
        for title, moved in traversal_conditions(gan, seed, rows)
        if moved.latent is not None
    ]
    return _titled(panels)


def traversal_conditions(gan: GAN, seed: int, rows: int) -> list[tuple[str, Condition]]:
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
    return render_figure(figure)
