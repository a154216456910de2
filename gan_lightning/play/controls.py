"""Controls of a generator: its class, its codes, and directions of its latent space."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.gans import GAN
from gan_lightning.gans.controls import Choice, Control, Slider
from gan_lightning.gans.directions import DIRECTION_LIMIT

__all__ = ["Choice", "Control", "Slider", "make_controls"]


def make_controls(gan: GAN, class_names: Sequence[str], directions: int) -> tuple[Control, ...]:
    """List the controls of a generator: its class, then codes, then directions.

    Args:
        gan: with a latent.
        class_names: of its dataset; empty if it has no classes.
        directions: number of known directions of its latent space.
    """
    sliders = (
        Slider("latent", index, f"Direction {index + 1}", DIRECTION_LIMIT)
        for index in range(directions)
    )
    return (*gan.controls(class_names), *sliders)
