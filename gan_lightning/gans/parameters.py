"""The modules that a player moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from gan_lightning.networks import NetworkFamily

__all__ = ["frozen", "parameters", "refuse_packs"]


def parameters(players: Mapping[str, nn.Module]) -> list[nn.Parameter]:
    """Collect the players' parameters, each once."""
    return list(
        dict.fromkeys(parameter for player in players.values() for parameter in player.parameters())
    )


def refuse_packs(networks: NetworkFamily[Any], why: str) -> None:
    """Refuse networks that pack data.

    Raises:
        ValueError: they do; `why` says what the GAN does with each datum.
    """
    if networks.config.packing > 1:
        raise ValueError(f"{why}, and network.packing is {networks.config.packing}: set it to 1")


@contextmanager
def frozen(weights: Iterable[nn.Parameter]) -> Iterator[None]:
    """Compute no gradient of the weights inside the block."""
    moving = [parameter for parameter in weights if parameter.requires_grad]
    for parameter in moving:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in moving:
            parameter.requires_grad_(True)
