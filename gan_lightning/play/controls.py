"""What a person can move of a generator: its class, its codes, its latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gan_lightning.gans import GAN, CoupledGAN, InfoGAN, LabelledGAN

__all__ = ["Choice", "Control", "Slider", "controls_of"]

CODE_REACH = 2.0
"""The paper's figure 2 runs the continuous codes from -2 to 2, beyond the prior's [-1, 1]."""

DIRECTION_REACH = 4.0
"""Standard deviations of the prior, either way."""


@dataclass(frozen=True)
class Slider:
    """A number that a person moves.

    Args:
        part: of a `Condition` that it is in: `continuous`, or `latent` for a direction.
        index: of the code or direction.
        label: what the person reads.
        reach: it runs from -reach to reach, from 0 at first.
    """

    part: str
    index: int
    label: str
    reach: float


@dataclass(frozen=True)
class Choice:
    """One of several names that a person picks, the first at first; its value is its number.

    Args:
        part: of a `Condition` that it is in: `labels` or `categorical`.
        index: of the code; 0 for the class.
        label: what the person reads.
        names: to pick from.
    """

    part: str
    index: int
    label: str
    names: tuple[str, ...]


Control = Slider | Choice


def controls_of(gan: GAN, class_names: Sequence[str], directions: int) -> tuple[Control, ...]:
    """List what can be moved of a generator: the class, then codes, then directions.

    A coupled GAN's domains are no choice, since each latent is shown in all of them.

    Args:
        gan: any.
        class_names: of its data; empty where it has no classes.
        directions: of its latent, that are known.
    """
    controls: list[Control] = []
    if isinstance(gan, LabelledGAN) and not isinstance(gan, CoupledGAN):
        controls.append(Choice("labels", 0, "Class", tuple(class_names)))
    if isinstance(gan, InfoGAN):
        sizes = gan.config.categorical_codes
        for index, size in enumerate(sizes):
            names = tuple(map(str, range(size)))
            label = f"Code c{index + 1}, of {size} categories"
            controls.append(Choice("categorical", index, label, names))
        for index in range(gan.config.continuous_codes):
            label = f"Code c{len(sizes) + index + 1}, continuous"
            controls.append(Slider("continuous", index, label, CODE_REACH))
    for index in range(directions):
        controls.append(Slider("latent", index, f"Direction {index + 1}", DIRECTION_REACH))
    return tuple(controls)
