"""The landscape of the game on two modes: closed forms, ridges, and the losses of training."""

from __future__ import annotations

import sys
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_lightning.losses import OBJECTIVES

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
try:
    from two_modes import LOSSES, discriminator_loss
finally:
    sys.path.pop(0)

STEEP = 1e4
"""A slope that bounds nothing where points are a hundredth apart."""

CLOSED_FORMS = {  # collapsed, one mode, both modes; Sun, Fang, Schwing 2020, for n = 2
    "GAN": ((3 * log(3) - 2 * log(2)) / 2, log(2), 2 * log(2)),
    "pairing, fixed pairs": (log(2) / 2, log(2) / 2, log(2)),
    "pairing, random pairs": (log(2) / 2, log(2) / 4, log(2)),
}


def losses(name: str, slope: float) -> np.ndarray:
    return np.array([discriminator_loss(LOSSES[name], p, slope) for p in np.linspace(0, 1, 21)])


@pytest.mark.parametrize("name", LOSSES)
def test_the_losses_of_the_best_discriminator_in_closed_form(name: str) -> None:
    found = [discriminator_loss(LOSSES[name], position, STEEP) for position in (0, 0.5, 1)]
    assert found == pytest.approx(CLOSED_FORMS[name], abs=1e-3)


def has_ridge(name: str, slope: float) -> bool:
    """Return whether the generator's loss rises on the way from the collapse to both modes."""
    return bool((np.diff(-losses(name, slope)) > 1e-4).any())


def test_a_bounded_slope_removes_every_ridge_and_fixed_pairs_have_none() -> None:
    ridges = {(name, slope): has_ridge(name, slope) for name in LOSSES for slope in (1, 10, 100)}
    assert {key for key, found in ridges.items() if found} == {
        (name, slope) for name in ("GAN", "pairing, random pairs") for slope in (10, 100)
    }


def test_the_losses_are_those_of_training() -> None:
    at_0, at_1, moving = scores = np.array([0.3, -1.2, 0.7])
    real, fake = torch.tensor([at_0, at_1]), torch.tensor([at_0, moving])
    expected = {
        "GAN": OBJECTIVES["non_saturating"].discriminator(real, fake),
        "pairing, fixed pairs": OBJECTIVES["relativistic"].discriminator(real, fake),
        "pairing, random pairs": OBJECTIVES["relativistic"].discriminator(
            real.repeat_interleave(2), fake.repeat(2)
        ),
    }
    for name, loss in LOSSES.items():
        assert loss(scores) == pytest.approx(expected[name].item(), abs=1e-6)
