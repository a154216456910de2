"""Controls of a generator: its class, its codes, and directions of its latent space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gan_lightning.gans import GAN, CoupledGAN, InfoGAN, LabelledGAN

__all__ = ["Choice", "Control", "Slider", "make_controls"]

CODE_LIMIT = 2.0
"""Continuous codes run from -2 to 2 as in InfoGAN's figure 2, beyond the prior's [-1, 1]."""

DIRECTION_LIMIT = 4.0
"""Directions run this many standard deviations of the prior either way."""


@dataclass(frozen=True)
class Slider:
    """A continuous control, initially 0.

    Args:
        part: field of `Condition` that it changes: `continuous`, or `latent` for a direction.
        index: of the code or direction.
        label: text on the page.
        limit: its values lie in [-limit, limit].
    """

    part: str
    index: int
    label: str
    limit: float


@dataclass(frozen=True)
class Choice:
    """A categorical control; its value is the index of an option, initially 0.

    Args:
        part: field of `Condition` that it changes: `labels` or `categorical`.
        index: of the code; 0 for the class.
        label: text on the page.
        options: names of the categories.
    """

    part: str
    index: int
    label: str
    options: tuple[str, ...]


Control = Slider | Choice


def make_controls(gan: GAN, class_names: Sequence[str], directions: int) -> tuple[Control, ...]:
    """List the controls of a generator: its class, then codes, then directions.

    The domain of a coupled GAN is no control, because each latent is shown in all domains.

    Args:
        gan: with a latent.
        class_names: of its dataset; empty if it has no classes.
        directions: number of known directions of its latent space.
    """
    controls: list[Control] = []
    if isinstance(gan, LabelledGAN) and not isinstance(gan, CoupledGAN):
        controls.append(Choice("labels", 0, "Class", tuple(class_names)))
    if isinstance(gan, InfoGAN):
        sizes = gan.config.categorical_codes
        for index, size in enumerate(sizes):
            options = tuple(map(str, range(size)))
            label = f"Code c{index + 1}, {size} categories"
            controls.append(Choice("categorical", index, label, options))
        for index in range(gan.config.continuous_codes):
            label = f"Code c{len(sizes) + index + 1}, continuous"
            controls.append(Slider("continuous", index, label, CODE_LIMIT))
    for index in range(directions):
        controls.append(Slider("latent", index, f"Direction {index + 1}", DIRECTION_LIMIT))
    return tuple(controls)
