"""Every paper's game by hand, as a script would have it: what our own costs is held against it."""

from __future__ import annotations

from typing import Any

from games.contract import Game, Given, Real
from games.critics import WGAN, WGANGP
from games.labelled import AuxiliaryClassifierGAN, ConditionalGAN, CoupledGAN, SemiSupervisedGAN
from games.standard import EBGAN, InfoGAN, Pix2Pix, StandardGAN, UnrolledGAN

__all__ = ["GAMES", "Game", "Given", "Real", "game_of"]

GAMES: dict[str, type[Game]] = {
    game.__name__: game
    for game in (
        StandardGAN,
        InfoGAN,
        WGAN,
        WGANGP,
        EBGAN,
        UnrolledGAN,
        Pix2Pix,
        AuxiliaryClassifierGAN,
        ConditionalGAN,
        CoupledGAN,
        SemiSupervisedGAN,
    )
}
"""By the name of the framework's class."""


def game_of(model: Any) -> Game:
    """Take the networks of a freshly built model.

    Raises:
        ValueError: its game is not written by hand.
    """
    name = type(model).__name__
    if name not in GAMES:
        raise ValueError(f"{name} has no game by hand; there are {', '.join(GAMES)}")
    return GAMES[name](model)
