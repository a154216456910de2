"""Differentiable augmentation: the discriminator sees real and generated images changed alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from gan_lightning.distributed.collectives import shared_uniform

__all__ = ["AUGMENTATIONS", "affine", "augmented"]

SHIFTED = 1 / 8
"""Largest share of a side that an image is moved by."""

CUT_OUT = 1 / 2
"""Share of a side that the square which is cut out has."""

TURNED, SHEARED, STRETCHED, MOVED = 0.35, 0.3, 0.2, 0.1
"""Bounds of an affine map: radians, tangent, logarithm of a factor, share of a side."""


def augmented(images: Tensor, names: Sequence[str]) -> Tensor:
    """Change every image at random, by numbers of its own, with the graph of the images.

    Args:
        images: (N, C, H, W) in [-1, 1].
        names: of AUGMENTATIONS, in the order in which they are applied.

    Returns:
        (N, C, H, W); colours may leave [-1, 1].

    Source: Zhao, Liu, Lin, Zhu, Han 2020 (arXiv:2006.10738), section 4 and equations 4, 5.
    """
    for name in names:
        images = AUGMENTATIONS[name](images)
    return images


def coloured(images: Tensor) -> Tensor:
    """Change brightness by up to 0.5, then saturation by 0 to 2, then contrast by 0.5 to 1.5."""
    images = images + _uniform(images, -0.5, 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * _uniform(images, 0, 2)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * _uniform(images, 0.5, 1.5)


def translated(images: Tensor) -> Tensor:
    """Move each image by up to an eighth of its sides; zeros come in."""
    for side in (2, 3):
        length = images.shape[side]
        most = round(length * SHIFTED)
        moves = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
        rows = torch.arange(length, device=images.device) + moves
        inside = ((rows >= 0) & (rows < length)).to(images.dtype)
        shape = [len(images), 1, 1, 1]
        shape[side] = length
        taken = rows.clamp(0, length - 1).view(shape).expand_as(images)
        images = images.gather(side, taken) * inside.view(shape)
    return images


def cut_out(images: Tensor) -> Tensor:
    """Set a square of half the sides to zero, its centre anywhere in the image."""
    outside = []
    for side in (2, 3):
        length = images.shape[side]
        size = round(length * CUT_OUT)
        even = 1 - size % 2
        centres = torch.randint(0, length + even, (len(images), 1), device=images.device)
        start = centres - size // 2
        pixels = torch.arange(length, device=images.device)
        outside.append((pixels < start) | (pixels >= start + size))
    kept = (outside[0][:, :, None] | outside[1][:, None, :])[:, None].to(images.dtype)
    return images * kept


def affine(images: Tensor) -> Tensor:
    """Turn, shear, stretch each way and move each image about its middle; black comes in.

    A digit stays the digit that it is.
    """
    angle, shear, across, along = (
        _uniform(images, -bound, bound).flatten()
        for bound in (TURNED, SHEARED, STRETCHED, STRETCHED)
    )
    moves = [2 * _uniform(images, -MOVED, MOVED).flatten() for _ in range(2)]
    cosine, sine, across, along = angle.cos(), angle.sin(), across.exp(), along.exp()
    rows = (
        torch.stack([across * cosine, shear * cosine - along * sine, moves[0]], 1),
        torch.stack([across * sine, shear * sine + along * cosine, moves[1]], 1),
    )
    precise = torch.promote_types(images.dtype, torch.float32)
    maps, light = torch.stack(rows, 1).to(precise), images.to(precise) + 1
    with torch.autocast(images.device.type, enabled=False):
        places = affine_grid(maps, list(images.shape), align_corners=False)
        changed: Tensor = grid_sample(light, places, align_corners=False) - 1
    return changed


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "colour": coloured,
    "translation": translated,
    "cutout": cut_out,
    "affine": affine,
}


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Draw a number for each image, (N, 1, 1, 1), the same however many processes share them."""
    numbers = shared_uniform(len(images), images.device).to(images.dtype).view(-1, 1, 1, 1)
    return low + (high - low) * numbers
