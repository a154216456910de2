"""The user's copy of the USPS digits, at MNIST's size."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from gan_lightning.errors import UserError

__all__ = ["read_usps"]

FILES = {"train": "usps.bz2", "test": "usps.t.bz2"}
SOURCE = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps"
MARGIN = 4
"""Pixels around a USPS digit, which fills its frame, at 28 pixels, as around MNIST's digits."""


def read_usps(root: str, part: str, size: int) -> tuple[Tensor, Tensor]:
    """Read USPS digits, 16x16, drawn at 20x20 in a frame of MNIST's size.

    Args:
        root: folder with usps.bz2 and usps.t.bz2, as LIBSVM distributes them.
        part: train (7,291 digits) or test (2,007).
        size: 28 or 32.

    Returns:
        Images uint8 (N, size, size, 1), and digits int64 (N,).

    Raises:
        UserError: the file is not there, or is damaged.
    """
    path = Path(root) / FILES[part]
    if not root or not path.is_file():
        said = f"there is no {path}" if root else "data.root is not set"
        raise UserError(
            f"data.second is 'usps' and {said}; download {FILES['train']} and {FILES['test']} "
            f"from {SOURCE} and give their folder as data.root=DIR"
        )
    from torchvision.datasets import USPS

    try:
        digits = USPS(root, train=part == "train")
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged ({error}); download it again from {SOURCE}") from error
    images = torch.from_numpy(digits.data).float().unsqueeze(1)
    images = interpolate(images, size=28 - 2 * MARGIN, mode="bilinear", antialias=True)
    images = pad(images, [MARGIN + (size - 28) // 2] * 4)
    pixels = images.round().clamp(0, 255).to(torch.uint8).movedim(1, -1)
    return pixels, torch.tensor(digits.targets, dtype=torch.int64)
