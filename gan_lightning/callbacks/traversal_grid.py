"""Traversals: rows of images in which one code or one latent dimension varies."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from gan_lightning.callbacks.figures import (
    Array,
    ImageCallback,
    image_grid,
    render_figure,
    save_picture,
)
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.gans.controls import Choice, Slider
from gan_lightning.types import Condition

__all__ = ["TraversalGrid", "draw_traversals"]

COLUMNS = 10
LATENT_LIMIT = 1.0
"""Latent dimensions are varied from -1 to 1, the range of the uniform prior."""

MAX_TITLE = 50
"""Characters of a title, which is as wide as a panel."""


class TraversalGrid(ImageCallback):
    """Draw the effect of each code, or of the first latent dimensions of a GAN without codes.

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
    panels = [
        (title, image_grid(gan.sample(len(condition.latent), condition, seed=seed).data, COLUMNS))
        for title, condition in traversal_conditions(gan, seed, rows, class_names)
        if condition.latent is not None
    ]
    return _join_panels(panels)


def traversal_conditions(
    gan: GAN, seed: int, rows: int, class_names: Sequence[str] = ()
) -> list[tuple[str, Condition]]:
    """Return the title of each panel and its conditions, row by row.

    A GAN with codes has a panel for each categorical and each continuous code. In the panels of
    continuous codes each row has another category, so that the effect is seen on every category.
    Other GANs have panels for the first two latent dimensions and, if they are class-conditional,
    the class.
    """
    conditions = gan.sample(rows, seed=seed).condition.parts()
    fixed = {name: part.repeat_interleave(COLUMNS, 0) for name, part in conditions.items()}
    panels = _categorical_panels(gan, fixed, rows, class_names)
    controls = [control for control in gan.controls() if control.part != "labels"]
    sizes = _code_sizes(gan)
    sliders = [control for control in controls if isinstance(control, Slider)]
    if not controls and "latent" in fixed:
        sliders = [
            Slider("latent", index, f"z{index + 1}", LATENT_LIMIT)
            for index in range(min(2, fixed["latent"].shape[1]))
        ]
    for slider in sliders:
        parts = {**fixed, slider.part: fixed[slider.part].clone()}
        device = parts[slider.part].device
        if "categorical" in parts:
            codes = parts["categorical"] = parts["categorical"].clone()
            codes[:, 0] = torch.arange(rows, device=device).repeat_interleave(COLUMNS)
            if len(sizes) == 1:
                codes.remainder_(sizes[0])
        values = torch.linspace(-slider.limit, slider.limit, COLUMNS, device=device)
        parts[slider.part][:, slider.index] = values.repeat(rows)
        label = f"c{controls.index(slider) + 1}" if controls else slider.label
        title = f"{label}: from {-slider.limit:g} to {slider.limit:g}"
        panels.append((title, Condition(**parts)))
    return panels


def _code_sizes(gan: GAN) -> list[int]:
    """Return the number of categories of each categorical code."""
    return [
        len(control.options)
        for control in gan.controls()
        if isinstance(control, Choice) and control.part == "categorical"
    ]


def _title_of_classes(names: Sequence[str], shown: int) -> str:
    """Name the classes of the columns; the names of digits are their numbers."""
    if list(names[:shown]) == [str(number) for number in range(shown)] or len(names) < shown:
        return f"classes 0 to {shown - 1}"
    return shorten(f"classes: {', '.join(names[:shown])}", MAX_TITLE, placeholder=" …")


def _categorical_panels(
    gan: GAN, fixed: dict[str, Tensor], rows: int, class_names: Sequence[str]
) -> list[tuple[str, Condition]]:
    """Return the panels that vary the class, or each categorical code."""
    panels = []
    if "labels" in fixed and gan.data.classes is not None:
        labels = torch.arange(COLUMNS, device=fixed["labels"].device).remainder(gan.data.classes)
        title = _title_of_classes(class_names, min(gan.data.classes, COLUMNS))
        panels.append((title, Condition(**{**fixed, "labels": labels.repeat(rows)})))
    for index, size in enumerate(_code_sizes(gan)):
        codes = fixed["categorical"].clone()
        codes[:, index] = torch.arange(COLUMNS, device=codes.device).remainder(size).repeat(rows)
        title = f"c{index + 1}: categories 0 to {min(size, COLUMNS) - 1}"
        panels.append((title, Condition(**{**fixed, "categorical": codes})))
    return panels


def _join_panels(panels: list[tuple[str, Array]]) -> Array:
    """Draw pictures of equal height next to each other, each under its title."""
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
