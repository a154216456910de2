"""Random crops and mirroring of training images, on the device that trains."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_lightning.types import Batch

__all__ = ["crop_and_mirror", "crop_images", "mirror_images"]


def crop_and_mirror(images: Tensor, batch: Batch, margin: int) -> Tensor:
    """Crop and mirror images as the random numbers of their batch say, sources like targets.

    Args:
        images: uint8 (..., H, W, C), the data of the batch or its sources.
        batch: with `crop_offsets` and `mirror_mask`, each of which may be None.
        margin: pixels by which images are enlarged before they are cropped.
    """
    if batch.crop_offsets is not None:
        images = crop_images(images, batch.crop_offsets, margin)
    return mirror_images(images, batch.mirror_mask)


def crop_images(images: Tensor, offsets: Tensor, margin: int) -> Tensor:
    """Enlarge images bilinearly by some pixels and crop them to their size.

    Args:
        images: uint8 (..., H, W, C).
        offsets: row and column of the enlarged image at which the crop begins, int64 (..., 2) in
            [0, margin], with the leading dimensions of `images`.
        margin: pixels by which height and width grow, above 0.

    Returns:
        All images, of the same shape and type.

    Source: the jitter of Isola et al. 2017 (arXiv:1611.07004), section 6.2, from 256 to 286 pixels.
    """
    height, width = images.shape[-3:-1]
    flat = images.flatten(0, -4).movedim(-1, 1).float()
    enlarged = interpolate(flat, (height + margin, width + margin), mode="bilinear")
    pixels = enlarged.round_().clamp_(0, 255).to(images.dtype).movedim(1, -1)
    top, left = offsets.flatten(0, -2).unbind(1)
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    numbers = torch.arange(len(flat), device=images.device)[:, None, None]
    return pixels[numbers, rows[:, :, None], columns[:, None, :]].view_as(images)


def mirror_images(images: Tensor, mask: Tensor | None) -> Tensor:
    """Swap left and right of the images that a mask selects.

    Args:
        images: (..., H, W, C).
        mask: bool, with the leading dimensions of `images`; None selects no image.

    Returns:
        All images, of the same shape and type.
    """
    if mask is None:
        return images
    flat = images.flatten(0, mask.ndim - 1)
    rows = torch.arange(len(flat), device=flat.device) + len(flat) * mask.flatten()
    # index_select copies complete images, which is faster than torch.where, pixel by pixel
    return torch.cat([flat, flat.flip(2)]).index_select(0, rows).view_as(images)
