"""Reader of the USPS digits, which the user downloads, at the size of MNIST."""

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
"""Pixels added around a USPS digit at 28 pixels: MNIST's digits have a margin, USPS's have none."""


def read_usps(root: str, part: str, size: int) -> tuple[Tensor, Tensor]:
    """Read USPS digits, resized from 16x16 to 20x20 pixels and padded to the size of MNIST.

    Args:
        root: folder with usps.bz2 and usps.t.bz2, as distributed by LIBSVM.
        part: train (7,291 digits) or test (2,007).
        size: height and width in pixels, 28 or 32.

    Returns:
        Images uint8 (N, size, size, 1), and digits int64 (N,).

    Raises:
        UserError: the file is missing or damaged.
    """
    path = Path(root) / FILES[part]
    if not root or not path.is_file():
        problem = f"{path} does not exist" if root else "data.root is not set"
        raise UserError(
            f"data.second is 'usps', but {problem}; download {FILES['train']} and {FILES['test']} "
            f"from {SOURCE} and set data.root=DIR to their folder"
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
