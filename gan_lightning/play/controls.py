"""Controls of a generator: its class or attributes, codes, and directions of its latent space."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.data import BaseDataModule
from gan_lightning.gans import GAN
from gan_lightning.gans.controls import Choice, Control, Slider
from gan_lightning.gans.directions import DIRECTION_LIMIT

__all__ = ["Choice", "Control", "Slider", "make_controls"]


def make_controls(
    gan: GAN, data: BaseDataModule, directions: int, values: Sequence[str] = ()
) -> tuple[Control, ...]:
    """List the controls of a generator: its class, then codes, then directions.

    Where classes are combinations of attributes, each attribute has a control of its own, whose
    part is `attributes`.

    Args:
        gan: with a latent.
        data: that it was trained on.
        directions: number of known directions of its latent space.
        values: of attributes towards which there is a direction; part `value` chooses one, and part
            `strength` says how far to go.
    """
    controls = gan.controls(data.class_names)
    if data.class_attributes:
        attributes = [
            Choice("attributes", index, name.replace("_", " ").capitalize(), values)
            for index, (name, values) in enumerate(data.class_attributes.items())
        ]
        controls = tuple(
            part
            for control in controls
            for part in (attributes if control.part == "labels" else [control])
        )
    sliders = (
        Slider("latent", index, f"Direction {index + 1}", DIRECTION_LIMIT)
        for index in range(directions)
    )
    adding: tuple[Control, ...] = ()
    if values:
        adding = (
            Choice("value", 0, "Attribute to add", ("none", *values)),
            Slider("strength", 0, "How much of it", DIRECTION_LIMIT),
        )
    return (*controls, *adding, *sliders)
