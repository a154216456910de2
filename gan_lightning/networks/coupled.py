"""Weight sharing between the networks of several domains."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.networks.base import LAYERS_WITH_WEIGHTS

__all__ = ["SharedFirst", "SharedLast"]


class SharedFirst(nn.Module):
    """One generator per domain; the first layers are shared, by default all but the last.

    Args:
        generators: one per domain, with equal layers: plain stacks from (N, inputs) to (N, *shape).
        shared_layers: number of shared linear and convolutional layers; None for all but the last.

    Raises:
        ValueError: the generators are no such stacks, or have no more layers than are shared.
    """

    def __init__(self, generators: Sequence[nn.Module], shared_layers: int | None = None) -> None:
        super().__init__()
        stacks = [_check_stack(generator, min_layers=2) for generator in generators]
        layers = _weight_layer_indices(stacks[0])
        if shared_layers is not None and shared_layers >= len(layers):
            raise ValueError(
                f"shared_generator_layers is {shared_layers}, and each generator has {len(layers)} "
                f"layers, the last of its own; valid are 0 to {len(layers) - 1}"
            )
        first_own = layers[-1 if shared_layers is None else shared_layers]
        self.shared = stacks[0][:first_own]
        self.own = nn.ModuleList(stack[first_own:] for stack in stacks)

    def forward(self, inputs: Tensor, domains: Tensor) -> Tensor:
        """Map inputs (N, inputs) and their domains (N,) to samples (N, *shape)."""
        shared = self.shared(inputs)
        return _select_by_domain([own(shared) for own in self.own], domains)


class SharedLast(nn.Module):
    """One encoder per domain; all layers but the first are shared.

    Args:
        encoders: one per domain, with equal layers: plain stacks from (N, *shape) to (N, features).
    """

    def __init__(self, encoders: Sequence[nn.Module]) -> None:
        super().__init__()
        stacks = [_check_stack(encoder, min_layers=1) for encoder in encoders]
        after_first = _weight_layer_indices(stacks[0])[0] + 1
        self.own = nn.ModuleList(stack[:after_first] for stack in stacks)
        self.shared = stacks[0][after_first:]

    def forward(self, data: Tensor, domains: Tensor) -> Tensor:
        """Map samples (N, *shape) and their domains (N,) to features (N, features)."""
        maps = _select_by_domain([own(data) for own in self.own], domains)
        features: Tensor = self.shared(maps)
        return features


def _select_by_domain(outputs: list[Tensor], domains: Tensor) -> Tensor:
    """Take each row from the output of its domain."""
    rows = torch.arange(domains.shape[0], device=domains.device)  # len() is constant when traced
    return torch.stack(outputs, 1)[rows, domains]


def _check_stack(network: nn.Module, min_layers: int) -> nn.Sequential:
    if not isinstance(network, nn.Sequential) or len(_weight_layer_indices(network)) < min_layers:
        raise ValueError(
            "a coupled GAN shares layers of plain stacks, which these networks are not; set "
            "network.name=dcgan or mlp, network.packing=1, network.minibatch_kernels=0"
        )
    return network


def _weight_layer_indices(stack: nn.Sequential) -> list[int]:
    """Return the indices of the linear and convolutional layers."""
    return [index for index, layer in enumerate(stack) if isinstance(layer, LAYERS_WITH_WEIGHTS)]
