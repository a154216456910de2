"""Translations of digits into another form: their edges, their negative."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["TRANSLATIONS", "edges", "negative"]


def edges(images: Tensor) -> Tensor:
    """Return the outlines of digits: the maximum over the 3x3 neighbourhood minus the pixel.

    Args:
        images: uint8 (N, H, W, 1).

    Returns:
        uint8 (N, H, W, 1).

    Source: the MNIST edges of the authors' code for coupled GANs (github.com/mingyuliutw/CoGAN).
    """
    dilated = images
    for axis in (1, 2):
        previous, following = (torch.zeros_like(dilated) for _ in range(2))
        length = dilated.shape[axis]
        previous.narrow(axis, 1, length - 1).copy_(dilated.narrow(axis, 0, length - 1))
        following.narrow(axis, 0, length - 1).copy_(dilated.narrow(axis, 1, length - 1))
        dilated = dilated.maximum(previous).maximum(following)
    return dilated - images


def negative(images: Tensor) -> Tensor:
    """Invert the brightness of images, uint8 of any shape."""
    return 255 - images


TRANSLATIONS: dict[str, Callable[[Tensor], Tensor]] = {"edges": edges, "negative": negative}
"""Functions from digits, uint8 (N, H, W, 1), to the same digits in another form."""
