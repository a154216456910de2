"""Hand-written versions of every GAN, for the bare and textbook loops of the benchmark."""

from __future__ import annotations

from typing import Any

from games.contract import Game, GeneratorInput, Real
from games.critics import DRAGAN, WGAN, WGANGP
from games.labelled import AuxiliaryClassifierGAN, ConditionalGAN, CoupledGAN, SemiSupervisedGAN
from games.standard import BEGAN, EBGAN, InfoGAN, ProjectedGAN, StandardGAN, UnrolledGAN
from games.translation import CycleGAN, Pix2Pix

__all__ = ["GAMES", "Game", "GeneratorInput", "Real", "game_of"]

GAMES: dict[str, type[Game]] = {
    game.__name__: game
    for game in (
        StandardGAN,
        InfoGAN,
        WGAN,
        WGANGP,
        DRAGAN,
        EBGAN,
        BEGAN,
        UnrolledGAN,
        Pix2Pix,
        CycleGAN,
        ProjectedGAN,
        AuxiliaryClassifierGAN,
        ConditionalGAN,
        CoupledGAN,
        SemiSupervisedGAN,
    )
}
"""Hand-written classes, by the name of the class in `gan_lightning.gans`."""


def game_of(model: Any) -> Game:
    """Return the hand-written version of a model, with the networks of the model.

    Args:
        model: a freshly built GAN.

    Raises:
        ValueError: the model has no hand-written version.
    """
    name = type(model).__name__
    if name not in GAMES:
        raise ValueError(f"{name} has no hand-written version; those are {', '.join(GAMES)}")
    return GAMES[name](model)
