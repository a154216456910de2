"""Whether ours does a script's work: the same weights and minibatch give the same losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from gan_lightning.gans import InfoGAN, regularisation
from gan_lightning.gans.base import GAN
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition, Sample
from peers import PEERS, Peer, script_of
from peers.games import PeerSGAN
from peers.script import Ended, run_script

__all__ = ["same_losses"]

MAPS = {128 * 8 * 8: (128, 8, 8), 64 * 16 * 16: (64, 16, 16), 128 * 2 * 2: (128, 2, 2)}
"""Lengths of vectors that are maps: channels first in the scripts, channels fastest in ours."""


def same_losses(checkout: Path, name: str) -> float:
    """Compare the losses of a script's first batch with ours, on its weights and numbers.

    Returns:
        The largest relative difference of its losses.

    Raises:
        ValueError: the networks are not the same.
    """
    peer, seen = PEERS[name], Recorded()
    arguments = ["--batch_size", str(peer.batch), "--lr", "0"]
    with patch.object(np.random, "random", seen.random):
        theirs = run_script(script_of(checkout, name), arguments, seen)
    learner, _ = build(peer.config([]))
    assert isinstance(learner, GAN)
    learner = learner.to(memory_format=torch.contiguous_format)
    take_weights(learner, theirs, convolutions=peer.network["name"] == "peer_convolutions")
    _without_dropout([learner])
    expected = [theirs["d_loss"], theirs["g_loss"]]
    got = list(losses(learner, peer, theirs, seen))
    if "info_loss" in theirs:
        expected.append(theirs["info_loss"])
    difference: float = max(
        abs(mine.item() - script.item()) / abs(script.item())
        for mine, script in zip(got, expected, strict=True)
    )
    return difference


class Recorded:
    """What a script's first batch was made of."""

    def __init__(self) -> None:
        self.given: list[tuple[Tensor, ...]] = []
        self.places: list[Any] = []
        self._draw = np.random.random

    def __call__(self, variables: dict[str, Any], batches: int) -> None:
        """Before the first batch begin to listen, after it end the script."""
        if batches:
            raise Ended
        _without_dropout([variables["generator"], variables["discriminator"]])
        variables["generator"].register_forward_pre_hook(
            lambda module, given: self.given.append(given)
        )

    def random(self, size: Any) -> Any:
        """Draw as numpy does, and keep it."""
        self.places.append(self._draw(size))
        return self.places[-1]


def take_weights(learner: GAN, theirs: dict[str, Any], convolutions: bool) -> None:
    """Copy a script's weights in the order of its layers.

    Raises:
        ValueError: a shape differs.
    """
    given = {
        player: [
            value
            for key, value in theirs[player].state_dict().items()
            if not (key == "label_emb.weight" and isinstance(learner, PeerSGAN))  # it is not used
        ]
        for player in ("generator", "discriminator")
    }
    ours = {
        "generator": list(learner.generator.state_dict().values()),
        "discriminator": [
            value
            for player in learner.discriminator_players().values()
            for value in player.state_dict().values()
        ],
    }
    for player, tensors in ours.items():
        if len(tensors) != len(given[player]):
            raise ValueError(f"the {player}s have {len(tensors)} and {len(given[player])} tensors")
        for tensor, value in zip(tensors, given[player], strict=True):
            if tensor.shape != value.shape:
                raise ValueError(f"a {player}'s shapes are {tensor.shape} and {value.shape}")
            tensor.copy_(_channels_fastest(value) if convolutions else value)


def losses(learner: GAN, peer: Peer, theirs: dict[str, Any], seen: Recorded) -> Iterator[Tensor]:
    """Yield our discriminator's loss, our generator's and, of InfoGAN, the information's."""
    real = Batch(theirs["imgs"].float(), _labels(theirs))
    condition = _condition(learner, seen.given[0])
    fake = Sample(learner.generate(condition), condition)
    places = torch.zeros(0)
    if seen.places:  # theirs is the share of the real datum, ours of the generated one
        places = 1 - torch.from_numpy(seen.places[0]).float().flatten()
    with patch.object(regularisation, "shared_uniform", lambda count, device: places):
        terms = [
            learner.discriminator_terms(real, fake.detach()),
            learner.generator_loss(real, fake),
        ]
    weights = peer.weights
    if "info_loss" not in theirs:
        for side, weight in zip(terms, weights, strict=True):
            yield weight * torch.stack(list(side.values())).sum()
        return
    for side, weight in zip(terms, weights, strict=True):
        yield weight * side["adversarial"]
    later = _condition(learner, seen.given[1])
    told = learner.generator_loss(real, Sample(learner.generate(later), later))["information"]
    assert isinstance(learner, InfoGAN)
    constant = 0.5 * learner.config.continuous_codes * math.log(2 * math.pi)
    yield told - learner.config.continuous_information_weight * constant


def _condition(learner: GAN, given: tuple[Tensor, ...]) -> Condition:
    """Say in our words what a script's generator was given."""
    latent, *others = (tensor.detach() for tensor in given)
    if len(others) == 2:
        return Condition(
            latent, categorical=others[0].argmax(1, keepdim=True), continuous=others[1]
        )
    return Condition(latent, labels=others[0] if others else None)


def _labels(theirs: dict[str, Any]) -> Tensor | None:
    labels = theirs.get("labels", theirs.get("_"))
    return labels.detach().long() if isinstance(labels, Tensor) and labels.ndim == 1 else None


def _channels_fastest(value: Tensor) -> Tensor:
    for dimension, length in enumerate(value.shape):
        if length in MAPS and value.ndim <= 2:
            maps = value.unflatten(dimension, MAPS[length]).movedim(dimension, dimension + 2)
            value = maps.flatten(dimension, dimension + 2)
    return value


def _without_dropout(networks: list[nn.Module]) -> None:
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, (nn.Dropout, nn.Dropout2d)):
                layer.p = 0.0
