"""Weights in fewer bits, for the files of saved models."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["PRECISIONS", "pack", "unpack"]

PRECISIONS = ("float32", "float16", "int8")
"""Precisions of saved weights."""

SCALE = "#scale"
"""Suffix of the name of the scales that belong to a tensor of 8-bit integers."""

LARGEST = 127


def pack(weights: Mapping[str, Tensor], precision: str) -> dict[str, Tensor]:
    """Round the matrices and convolution kernels of a network to fewer bits.

    Biases and the statistics of batch norm, which are few, keep their precision. With int8, each
    row w of a matrix, and each kernel along the first dimension, is stored as round(w / s) with
    its own scale s = max |w| / 127.

    Args:
        weights: tensors by name, as of `state_dict`.
        precision: one of `PRECISIONS`.

    Returns:
        Contiguous tensors by name; those of scales end in `#scale`.
    """
    packed: dict[str, Tensor] = {}
    for name, value in weights.items():
        is_large = value.is_floating_point() and value.ndim > 1
        if is_large and precision == "float16":
            packed[name] = value.half().contiguous()
        elif is_large and precision == "int8":
            scale = value.abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True) / LARGEST
            rows = torch.where(scale > 0, value / scale, 0)
            packed[name] = rows.round().to(torch.int8).contiguous()
            packed[name + SCALE] = scale.float().contiguous()
        else:
            packed[name] = value.contiguous()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a network that `pack` has rounded, in single precision."""
    weights: dict[str, Tensor] = {}
    for name, value in packed.items():
        if name.endswith(SCALE):
            continue
        if name + SCALE in packed:
            weights[name] = value.float() * packed[name + SCALE]
        else:
            weights[name] = value.float() if value.dtype == torch.float16 else value
    return weights
