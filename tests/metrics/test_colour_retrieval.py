"""Translations that have the colours of their targets, or all the same one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gan_lightning.metrics import ColourRetrieval
from gan_lightning.metrics.colour_retrieval import main_colours

GENERATOR = torch.Generator().manual_seed(0)
FREQUENT = 60
COLOURS = torch.tensor([[1.0, -1, -1]] * FREQUENT + [[-1, 1, -1]] * 10 + [[-1, -1, 1]] * 10)
"""Red, which is frequent, green and blue."""


def drawings() -> Tensor:
    """Draw a coloured square with black lines on white, a little noisy."""
    images = torch.ones(len(COLOURS), 3, 16, 16)
    noise = 0.2 * torch.rand(len(COLOURS), 3, 1, 1, generator=GENERATOR)
    images[:, :, 4:12, 4:12] = (COLOURS[..., None, None] + noise).clamp(-1, 1)
    images[:, :, 4] = -1
    return images


def retrieval(translated: Tensor, targets: Tensor) -> dict[str, float]:
    metric = ColourRetrieval(targets)
    metric.update(translated, targets)
    return {name: value.item() for name, value in metric.compute().items()}


def test_targets_and_mixed_up_colours() -> None:
    targets = drawings()
    perfect = retrieval(targets, targets)
    assert perfect["translation/colour_retrieval"] == 1
    everything_red = retrieval(targets[:1].expand_as(targets), targets)
    chance = everything_red["translation/colour_retrieval_by_chance"]
    assert everything_red["translation/colour_retrieval"] <= 1.01 * chance
    wrong = retrieval(targets.roll(1, 1), targets)
    assert wrong["translation/colour_retrieval"] < 0.1


def test_black_and_white_do_not_change_a_main_colour() -> None:
    images = drawings()
    half_white = images.clone()
    half_white[..., 8:] = 1
    assert torch.allclose(main_colours(images), main_colours(half_white), atol=0.01)
    white = main_colours(torch.ones(1, 3, 4, 4))
    assert torch.equal(white, torch.ones(1, 3))


def test_different_shapes_are_refused() -> None:
    metric = ColourRetrieval(drawings())
    with pytest.raises(ValueError, match="shapes must be equal"):
        metric.update(drawings(), drawings()[:, :, :8])
