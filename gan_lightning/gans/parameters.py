"""The parameters of the players, and a check of the networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from gan_lightning.networks import NetworkFamily

__all__ = ["frozen", "parameters", "refuse_packs"]


def parameters(players: Mapping[str, nn.Module]) -> list[nn.Parameter]:
    """List the parameters of modules, each once."""
    return list(
        dict.fromkeys(parameter for player in players.values() for parameter in player.parameters())
    )


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
