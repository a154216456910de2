"""The modules that a player moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import nn

__all__ = ["frozen", "parameters"]


def parameters(players: Mapping[str, nn.Module]) -> list[nn.Parameter]:
    """Collect the players' parameters, each once."""
    return list(
        dict.fromkeys(parameter for player in players.values() for parameter in player.parameters())
    )


@contextmanager
def frozen(players: Mapping[str, nn.Module]) -> Iterator[None]:
    """Compute no gradient of the players' parameters inside the block."""
    moving = [parameter for parameter in parameters(players) if parameter.requires_grad]
    for parameter in moving:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in moving:
            parameter.requires_grad_(True)
