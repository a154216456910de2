"""A network that a metric looks through."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

__all__ = ["FrozenNetwork"]


class FrozenNetwork:
    """A copy of a network in eval mode, without gradients, run in its own precision.

    It is no nn.Module, so that a metric which holds it has neither its weights in its state_dict
    nor its parameters in an optimizer. The copy leaves the mode, the device and the gradients of
    the network that was passed alone, and does not change when that one is trained further. It
    follows its inputs to their device.

    Args:
        network: images (N, C, H, W) -> features or logits (N, D).
        batch_size: images seen at once; larger inputs are split.

    Raises:
        ValueError: batch_size is not positive.
    """

    def __init__(self, network: nn.Module, batch_size: int = 1024) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        self.network = deepcopy(network).eval().requires_grad_(False)
        self.batch_size = batch_size

    @torch.no_grad()
    def __call__(self, images: Tensor, outputs: int) -> Tensor:
        """Run the network outside autocast.

        Args:
            images: (N, C, H, W), N at least 1, floating point in [-1, 1]; half precision becomes
                float32.
            outputs: the number D of outputs an image that the caller relies on.

        Returns:
            (N, D) on the device of the images.

        Raises:
            ValueError: the images are not floating point, or the network returns another shape.
        """
        if not images.is_floating_point():
            raise ValueError(
                f"images are {images.dtype}; the metric takes floating point in [-1, 1]: "
                "scale them as the DataModule does"
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
                    f"the network returns shape {tuple(part.shape)} an input of "
                    f"{self.batch_size} images or fewer; the metric was told (N, {outputs})"
                )
        return torch.cat(parts)
