"""Traversals: rows of images in which one code or one direction of latent space varies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from gan_lightning.callbacks.figures import Array, ImageCallback, save_picture
from gan_lightning.callbacks.labelled_grids import (
    COLUMNS,
    class_titles,
    labelled_grid,
    side_by_side,
)
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.gans.controls import Choice, Slider
from gan_lightning.gans.directions import DIRECTION_LIMIT, latent_std, principal_directions
from gan_lightning.types import Condition

__all__ = ["TraversalGrid", "draw_traversals"]

DIRECTIONS = 2
"""Directions of latent space that are drawn of a GAN without codes."""


class Panel(NamedTuple):
    """One grid of a traversal.

    Attributes:
        title: what varies.
        condition: of each image, row by row.
        columns: images of a row.
        names: of the columns; empty where the title says what they are.
    """

    title: str
    condition: Condition
    columns: int
    names: Sequence[str] = ()


class TraversalGrid(ImageCallback):
    """Draw the effect of each code, or of two directions of latent space of a GAN without codes.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
    """

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw one panel per code."""
        if isinstance(model, GAN) and trainer.is_global_zero:
            seed = derived_seed(model.seed, "traversal")
            names = getattr(getattr(trainer, "datamodule", None), "class_names", ())
            picture = draw_traversals(model, seed, class_names=names)
            save_picture(trainer, model, self.folder, "traversal", picture)


def draw_traversals(gan: GAN, seed: int, rows: int = 8, class_names: Sequence[str] = ()) -> Array:
    """Draw panels in which one code varies along each row and everything else is fixed.

    Args:
        gan: a GAN on images.
        seed: seed of the latent and the codes of each row.
        rows: rows of each panel.
        class_names: name of each class of the data; by default its number.

    Returns:
        uint8 (H, W, 3).
    """
    grids = []
    for title, condition, columns, names in traversal_panels(gan, seed, rows, class_names):
        images = gan.sample(rows * columns, condition, seed=seed).data
        grids.append(labelled_grid(images, columns, title, names))
    return side_by_side(grids)


def traversal_panels(
    gan: GAN, seed: int, rows: int, class_names: Sequence[str] = ()
) -> list[Panel]:
    """Return the panels of a traversal.

    A GAN with codes has a panel for each categorical and each continuous code. In the panels of
    continuous codes each row has another category, so that the effect is seen on every category.
    Other GANs have panels for two directions of latent space, which the playground finds too, and,
    if they are class-conditional, the class.
    """
    fixed = gan.sample(rows, seed=seed).condition.parts()
    panels = list(_categorical_panels(gan, fixed, class_names))
    controls = [control for control in gan.controls() if control.part != "labels"]
    if not controls and "latent" in fixed:
        return [*panels, *_direction_panels(gan, fixed["latent"], fixed)]
    for number, slider in enumerate(controls, start=1):
        if not isinstance(slider, Slider):
            continue
        base = {**fixed, **_one_category_a_row(gan, fixed)}
        parts = {name: part.repeat_interleave(COLUMNS, 0) for name, part in base.items()}
        values = torch.linspace(-slider.limit, slider.limit, COLUMNS).to(parts[slider.part])
        parts[slider.part][:, slider.index] = values.repeat(rows)
        title = f"c{number}: from {-slider.limit:g} to {slider.limit:g}"
        panels.append(Panel(title, Condition(**parts), COLUMNS))
    return panels


def _direction_panels(gan: GAN, latents: Tensor, fixed: dict[str, Tensor]) -> Iterator[Panel]:
    """Yield the panels that move the latents (rows, D) along directions of latent space."""
    deviations = torch.linspace(-DIRECTION_LIMIT, DIRECTION_LIMIT, COLUMNS).to(latents)
    for number, direction in enumerate(principal_directions(gan, DIRECTIONS), start=1):
        step = latent_std(gan.config.latent_prior) * direction
        moved = latents[:, None] + deviations[:, None] * step
        parts = {name: part.repeat_interleave(COLUMNS, 0) for name, part in fixed.items()}
        title = (
            f"direction {number}: from {-DIRECTION_LIMIT:g} to {DIRECTION_LIMIT:g} "
            f"standard deviations"
        )
        yield Panel(title, Condition(**{**parts, "latent": moved.flatten(0, 1)}), COLUMNS)


def _one_category_a_row(gan: GAN, fixed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return categorical codes whose first code differs in each row."""
    if "categorical" not in fixed:
        return {}
    codes = fixed["categorical"].clone()
    codes[:, 0] = torch.arange(len(codes), device=codes.device)
    sizes = _code_sizes(gan)
    return {"categorical": codes.remainder(sizes[0]) if len(sizes) == 1 else codes}


def _code_sizes(gan: GAN) -> list[int]:
    """Return the number of categories of each categorical code."""
    return [
        len(control.options)
        for control in gan.controls()
        if isinstance(control, Choice) and control.part == "categorical"
    ]


def _categorical_panels(
    gan: GAN, fixed: dict[str, Tensor], class_names: Sequence[str]
) -> Iterator[Panel]:
    """Yield the panels that vary the class, or each categorical code: a column per category."""
    if "labels" in fixed and gan.data.classes is not None:
        title, names = class_titles(gan.data.classes, class_names)
        yield _category_panel(title, names, fixed, "labels", None)
    for index, size in enumerate(_code_sizes(gan)):
        _, names = class_titles(size, ())
        title = f"c{index + 1}: category" + (f", {COLUMNS} of {size}" if size > COLUMNS else "")
        yield _category_panel(title, names, fixed, "categorical", index)


def _category_panel(
    title: str,
    names: Sequence[str],
    fixed: dict[str, Tensor],
    part: str,
    index: int | None,
) -> Panel:
    parts = {name: value.repeat_interleave(len(names), 0) for name, value in fixed.items()}
    rows = len(next(iter(fixed.values())))
    column = parts[part] if index is None else parts[part][:, index]
    column.copy_(torch.arange(len(names)).repeat(rows))
    return Panel(title, Condition(**parts), len(names), names)
