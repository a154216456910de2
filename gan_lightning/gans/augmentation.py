"""Differentiable augmentation of the discriminator's inputs, real and generated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from gan_lightning.distributed.collectives import shared_uniform

__all__ = ["AUGMENTATIONS", "augment", "random_affine"]

MAX_TRANSLATION = 1 / 8
"""Bound of `translate`, as a share of a side."""

CUTOUT_SIDE = 1 / 2
"""Side of the square that `cut_out` zeroes, as a share of the image's side."""

MAX_ROTATION, MAX_SHEAR, MAX_LOG_SCALE, MAX_SHIFT = 0.35, 0.3, 0.2, 0.1
"""Bounds of `random_affine`: radians, tangent, logarithm of a factor, share of a side."""


def augment(images: Tensor, names: Sequence[str]) -> Tensor:
    """Apply random augmentations to each image, with its own random numbers.

    Args:
        images: (N, C, H, W) in [-1, 1]; their graph is kept.
        names: keys of AUGMENTATIONS, in the order of application.

    Returns:
        (N, C, H, W); `colour` may leave [-1, 1].

    Source: Zhao, Liu, Lin, Zhu, Han 2020 (arXiv:2006.10738), section 4 and equations 4, 5.
    """
    for name in names:
        images = AUGMENTATIONS[name](images)
    return images


def jitter_colour(images: Tensor) -> Tensor:
    """Shift brightness by up to 0.5, scale saturation by 0 to 2, then contrast by 0.5 to 1.5."""
    images = images + _uniform(images, -0.5, 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * _uniform(images, 0, 2)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * _uniform(images, 0.5, 1.5)


def translate(images: Tensor) -> Tensor:
    """Translate each image by up to an eighth of its sides and fill up with zeros."""
    for side in (2, 3):
        length = images.shape[side]
        bound = round(length * MAX_TRANSLATION)
        offsets = torch.randint(-bound, bound + 1, (len(images), 1), device=images.device)
        rows = torch.arange(length, device=images.device) + offsets
        inside = ((rows >= 0) & (rows < length)).to(images.dtype)
        shape = [len(images), 1, 1, 1]
        shape[side] = length
        indices = rows.clamp(0, length - 1).view(shape).expand_as(images)
        images = images.gather(side, indices) * inside.view(shape)
    return images


def cut_out(images: Tensor) -> Tensor:
    """Zero a square of half the image's side, centred at a random pixel."""
    outside = []
    for side in (2, 3):
        length = images.shape[side]
        size = round(length * CUTOUT_SIDE)
        even = 1 - size % 2
        centres = torch.randint(0, length + even, (len(images), 1), device=images.device)
        start = centres - size // 2
        pixels = torch.arange(length, device=images.device)
        outside.append((pixels < start) | (pixels >= start + size))
    mask = (outside[0][:, :, None] | outside[1][:, None, :])[:, None].to(images.dtype)
    return images * mask


def random_affine(images: Tensor) -> Tensor:
    """Rotate, shear, scale along both axes and shift each image, and fill up with black (-1)."""
    angle, shear, log_scale_x, log_scale_y = (
        _uniform(images, -bound, bound).flatten()
        for bound in (MAX_ROTATION, MAX_SHEAR, MAX_LOG_SCALE, MAX_LOG_SCALE)
    )
    shifts = [2 * _uniform(images, -MAX_SHIFT, MAX_SHIFT).flatten() for _ in range(2)]
    cosine, sine, scale_x, scale_y = angle.cos(), angle.sin(), log_scale_x.exp(), log_scale_y.exp()
    rows = (
        torch.stack([scale_x * cosine, shear * cosine - scale_y * sine, shifts[0]], 1),
        torch.stack([scale_x * sine, shear * sine + scale_y * cosine, shifts[1]], 1),
    )
    dtype = torch.promote_types(images.dtype, torch.float32)
    matrices, lightness = torch.stack(rows, 1).to(dtype), images.to(dtype) + 1  # black is 0
    with torch.autocast(images.device.type, enabled=False):
        grid = affine_grid(matrices, list(images.shape), align_corners=False)
        mapped: Tensor = grid_sample(lightness, grid, align_corners=False) - 1
    return mapped


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "colour": jitter_colour,
    "translation": translate,
    "cutout": cut_out,
    "affine": random_affine,
}


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Draw a number per image, (N, 1, 1, 1), equal for any number of processes."""
    numbers = shared_uniform(len(images), images.device).to(images.dtype).view(-1, 1, 1, 1)
    return low + (high - low) * numbers
