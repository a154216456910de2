"""Frozen networks in which metrics compute features or logits."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

__all__ = ["FrozenNetwork"]


class FrozenNetwork:
    """A copy of a network in evaluation mode, without gradients, in full precision.

    It is not an nn.Module, so that the weights are neither in the state_dict of the metric that
    owns it nor among the metric's parameters. Because it is a copy, further training of the
    original does not change it, and the original keeps its mode, device and gradients. The copy
    moves to the device of its inputs.

    Args:
        network: images (N, C, H, W) -> features or logits (N, D).
        batch_size: number of images per forward pass; larger inputs are split.

    Raises:
        ValueError: batch_size is below 1.
    """

    def __init__(self, network: nn.Module, batch_size: int = 1024) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        self.network = deepcopy(network).eval().requires_grad_(False)
        self.batch_size = batch_size

    @torch.no_grad()
    def __call__(self, images: Tensor, outputs: int) -> Tensor:
        """Run the network with autocast disabled.

        Args:
            images: (N, C, H, W), N at least 1, floating point in [-1, 1]; half precision is
                converted to float32.
            outputs: D, expected number of outputs per image.

        Returns:
            (N, D) on the device of the images.

        Raises:
            ValueError: the images are not floating point, or the network returns another shape.
        """
        if not images.is_floating_point():
            raise ValueError(
                f"images are {images.dtype}; they must be floating point in [-1, 1], as a "
                "DataModule yields them"
            )
        if images.dtype in (torch.float16, torch.bfloat16):
            images = images.float()
        self.network.to(images.device)
        with torch.autocast(images.device.type, enabled=False):
            parts = [
                self.network(images[start : start + self.batch_size])
                for start in range(0, len(images), self.batch_size)
            ]
        for part in parts:
            if part.ndim != 2 or part.shape[1] != outputs:
                raise ValueError(
                    f"the network returns shape {tuple(part.shape)}; it must be (N, {outputs})"
                )
        return torch.cat(parts)
