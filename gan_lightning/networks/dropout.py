"""Dropout, with a quick mask on processors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Dropout", "dropout"]


class Dropout(nn.Dropout):
    """PyTorch's layer, with the function below."""

    def forward(self, data: Tensor) -> Tensor:
        """Silence numbers of data of any shape in training, and none in evaluation mode."""
        return dropout(data, self.p) if self.training else data


def dropout(data: Tensor, silenced: float) -> Tensor:
    """Set a share of all numbers to 0, each by itself, and scale the others by 1 / (1 - silenced).

    On a processor PyTorch's Bernoulli sampler takes four times as long for a number as its uniform
    one, and its dropout a tenth of a small network's update.

    Args:
        data: of any shape.
        silenced: in [0, 1).

    Source: Hinton et al. 2012 (arXiv:1207.0580).
    """
    if data.device.type != "cpu":
        return functional.dropout(data, silenced, training=True)
    kept = torch.rand_like(data, dtype=torch.float32) >= silenced
    return data * kept.to(data.dtype).div_(1 - silenced)
