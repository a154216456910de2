"""Networks of several domains that share layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["SharedFirst", "SharedLast"]


class SharedFirst(nn.Module):
    """A generator a domain: all layers but the last are the same tensors.

    Args:
        generators: one a domain, all alike: plain stacks from (N, inputs) to (N, *shape).
    """

    def __init__(self, generators: Sequence[nn.Module]) -> None:
        super().__init__()
        stacks = [_stack(generator, least=2) for generator in generators]
        last = _with_weights(stacks[0])[-1]
        self.shared = stacks[0][:last]
        self.own = nn.ModuleList(stack[last:] for stack in stacks)

    def forward(self, inputs: Tensor, domains: Tensor) -> Tensor:
        """Map inputs (N, inputs) and their domains (N,) to data (N, *shape)."""
        shared = self.shared(inputs)
        return _chosen([own(shared) for own in self.own], domains)


class SharedLast(nn.Module):
    """An encoder a domain: all layers but the first are the same tensors.

    Args:
        encoders: layers of each, all alike: plain stacks from (N, *shape) to (N, features).
    """

    def __init__(self, encoders: Sequence[nn.Module]) -> None:
        super().__init__()
        stacks = [_stack(encoder, least=1) for encoder in encoders]
        after = _with_weights(stacks[0])[0] + 1
        self.own = nn.ModuleList(stack[:after] for stack in stacks)
        self.shared = stacks[0][after:]

    def forward(self, data: Tensor, domains: Tensor) -> Tensor:
        """Map data (N, *shape) and their domains (N,) to features (N, features)."""
        features: Tensor = self.shared(_chosen([own(data) for own in self.own], domains))
        return features


def _chosen(sides: list[Tensor], domains: Tensor) -> Tensor:
    """Take each row from the tensor of its domain."""
    rows = torch.arange(domains.shape[0], device=domains.device)  # len is none when traced
    return torch.stack(sides, 1)[rows, domains]


def _stack(network: nn.Module, least: int) -> nn.Sequential:
    if not isinstance(network, nn.Sequential) or len(_with_weights(network)) < least:
        raise ValueError(
            "a coupled GAN cuts plain stacks of layers, and these networks are none; "
            "choose network.name=dcgan or mlp, network.packing=1, network.minibatch_kernels=0"
        )
    return network


def _with_weights(stack: nn.Sequential) -> list[int]:
    """Return the places of the linear and convolutional layers; norms belong to those before."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    return [place for place, layer in enumerate(stack) if isinstance(layer, kinds)]
