"""The parameters of the players, which of them are trained, and a check of the networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from gan_lightning.networks import NetworkFamily
from gan_lightning.networks.base import LAYERS_WITH_WEIGHTS, NORMS

__all__ = ["freeze_first_layers", "frozen", "parameters", "refuse_packs", "trained_parameters"]


def parameters(players: Mapping[str, nn.Module]) -> list[nn.Parameter]:
    """List the parameters of modules, each once."""
    return list(
        dict.fromkeys(parameter for player in players.values() for parameter in player.parameters())
    )


def trained_parameters(players: Mapping[str, nn.Module]) -> list[nn.Parameter]:
    """List the parameters of modules that are not frozen, each once."""
    return [weights for weights in parameters(players) if weights.requires_grad]


def freeze_first_layers(players: Mapping[str, nn.Module], count: int) -> None:
    """Disable the gradients of the first layers of modules, and of the norms that follow each.

    A layer is a linear one or a convolution; they are counted in the order in which the modules
    list them.

    Args:
        players: modules of the discriminator by name.
        count: number of layers; 0 changes nothing.

    Raises:
        ValueError: there are not so many layers, or no layer would be left.

    Source: Mo, Cho, Shin 2020 (arXiv:2002.10964), section 3.
    """
    if count == 0:
        return
    layers = [
        layer
        for layer in dict.fromkeys(part for player in players.values() for part in player.modules())
        if isinstance(layer, (*LAYERS_WITH_WEIGHTS, *NORMS))
    ]
    with_weights = sum(isinstance(layer, LAYERS_WITH_WEIGHTS) for layer in layers)
    if count >= with_weights:
        raise ValueError(
            f"freeze_discriminator_layers is {count}, and the discriminator has {with_weights} "
            f"layers with weights, of which one must be trained; it must be at most "
            f"{max(0, with_weights - 1)}"
        )
    position = 0
    for layer in layers:
        position += isinstance(layer, LAYERS_WITH_WEIGHTS)
        if position <= count:
            layer.requires_grad_(False)


def refuse_packs(networks: NetworkFamily[Any], reason: str) -> None:
    """Check that the discriminator scores single samples, not packs.

    Args:
        networks: family of the GAN's networks.
        reason: why the GAN needs single samples, as the beginning of the message.

    Raises:
        ValueError: `network.packing` is above 1.
    """
    if networks.config.packing > 1:
        raise ValueError(f"{reason}, and network.packing is {networks.config.packing}: set it to 1")


@contextmanager
def frozen(weights: Iterable[nn.Parameter]) -> Iterator[None]:
    """Disable the gradients of parameters inside the block, then restore `requires_grad`."""
    trainable = [parameter for parameter in weights if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
