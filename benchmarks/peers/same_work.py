"""Check that the Trainer's model and a script give the same losses for the same weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from gan_lightning.gans import InfoGAN, gradient_penalties
from gan_lightning.gans.base import GAN
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition, Sample
from peers import PEERS, Peer, script_path
from peers.games import PeerSGAN
from peers.script import Ended, run_script

__all__ = ["loss_difference"]

MAPS = {128 * 8 * 8: (128, 8, 8), 64 * 16 * 16: (64, 16, 16), 128 * 2 * 2: (128, 2, 2)}
"""Lengths of flattened feature maps, and their shapes.

The scripts flatten with channels first, this package with channels last.
"""


def loss_difference(checkout: Path, name: str) -> float:
    """Compare the losses of a script's first batch with the model's, at the script's weights.

    Returns:
        The largest relative difference of the losses.

    Raises:
        ValueError: the networks differ.
    """
    peer, recorder = PEERS[name], Recorder()
    arguments = ["--batch_size", str(peer.batch), "--lr", "0"]
    with patch.object(np.random, "random", recorder.random):
        script = run_script(script_path(checkout, name), arguments, recorder)
    model, _ = build(peer.config([]))
    assert isinstance(model, GAN)
    model = model.to(memory_format=torch.contiguous_format)
    copy_weights(model, script, convolutions=peer.network["name"] == "peer_convolutions")
    _disable_dropout([model])
    expected = [script["d_loss"], script["g_loss"]]
    actual = list(losses(model, peer, script, recorder))
    if "info_loss" in script:
        expected.append(script["info_loss"])
    difference: float = max(
        abs(own.item() - other.item()) / abs(other.item())
        for own, other in zip(actual, expected, strict=True)
    )
    return difference


class Recorder:
    """Callback of `run_script` that records the random inputs of the script's first batch.

    Attributes:
        generator_inputs: arguments of each call of the generator.
        interpolation: arrays that the script drew by `numpy.random.random`: the positions of a
            gradient penalty.
    """

    def __init__(self) -> None:
        self.generator_inputs: list[tuple[Tensor, ...]] = []
        self.interpolation: list[Any] = []
        self._random = np.random.random

    def __call__(self, variables: dict[str, Any], batches: int) -> None:
        """Register the hook before the first batch; end the script after it."""
        if batches:
            raise Ended
        _disable_dropout([variables["generator"], variables["discriminator"]])
        variables["generator"].register_forward_pre_hook(
            lambda module, inputs: self.generator_inputs.append(inputs)
        )

    def random(self, size: Any) -> Any:
        """Draw with numpy, and record the array."""
        self.interpolation.append(self._random(size))
        return self.interpolation[-1]


def copy_weights(model: GAN, script: dict[str, Any], convolutions: bool) -> None:
    """Copy a script's weights into the model, in the order of the layers.

    Args:
        model: to copy to.
        script: variables of the script.
        convolutions: whether flattened feature maps have to be reordered.

    Raises:
        ValueError: the number of tensors or a shape differs.
    """
    sources = {
        player: [
            value
            for key, value in script[player].state_dict().items()
            if not (key == "label_emb.weight" and isinstance(model, PeerSGAN))  # unused there
        ]
        for player in ("generator", "discriminator")
    }
    targets = {
        "generator": list(model.generator.state_dict().values()),
        "discriminator": [
            value
            for player in model.discriminator_players().values()
            for value in player.state_dict().values()
        ],
    }
    for player, tensors in targets.items():
        if len(tensors) != len(sources[player]):
            counts = f"{len(tensors)} and {len(sources[player])}"
            raise ValueError(f"the {player}s have {counts} tensors")
        for tensor, value in zip(tensors, sources[player], strict=True):
            if tensor.shape != value.shape:
                raise ValueError(f"the {player}s have shapes {tensor.shape} and {value.shape}")
            tensor.copy_(_to_channels_last(value) if convolutions else value)


def losses(model: GAN, peer: Peer, script: dict[str, Any], recorder: Recorder) -> Iterator[Tensor]:
    """Yield the model's losses: discriminator, generator and, for InfoGAN, information."""
    real = Batch(script["imgs"].float(), _labels(script))
    condition = _condition(model, recorder.generator_inputs[0])
    fake = Sample(model.generate(condition), condition)
    fractions = torch.zeros(0)
    if recorder.interpolation:  # the script's fraction is that of real data, ours of generated data
        fractions = 1 - torch.from_numpy(recorder.interpolation[0]).float().flatten()
    with patch.object(gradient_penalties, "shared_uniform", lambda count, device: fractions):
        terms = [
            model.discriminator_terms(real, fake.detach()),
            model.generator_loss(real, fake),
        ]
    weights = peer.weights
    if "info_loss" not in script:
        for side, weight in zip(terms, weights, strict=True):
            yield weight * torch.stack(list(side.values())).sum()
        return
    for side, weight in zip(terms, weights, strict=True):
        yield weight * side["adversarial"]
    condition = _condition(model, recorder.generator_inputs[1])
    fake = Sample(model.generate(condition), condition)
    information = model.generator_loss(real, fake)["information"]
    assert isinstance(model, InfoGAN)
    constant = 0.5 * model.config.continuous_codes * math.log(2 * math.pi)
    yield information - model.config.continuous_information_weight * constant


def _condition(model: GAN, inputs: tuple[Tensor, ...]) -> Condition:
    """Convert the inputs of a script's generator to a `Condition`."""
    latent, *others = (tensor.detach() for tensor in inputs)
    if len(others) == 2:
        return Condition(
            latent, categorical=others[0].argmax(1, keepdim=True), continuous=others[1]
        )
    return Condition(latent, labels=others[0] if others else None)


def _labels(script: dict[str, Any]) -> Tensor | None:
    labels = script.get("labels", script.get("_"))
    return labels.detach().long() if isinstance(labels, Tensor) and labels.ndim == 1 else None


def _to_channels_last(value: Tensor) -> Tensor:
    """Reorder the dimensions that hold flattened feature maps."""
    for dimension, length in enumerate(value.shape):
        if length in MAPS and value.ndim <= 2:
            maps = value.unflatten(dimension, MAPS[length]).movedim(dimension, dimension + 2)
            value = maps.flatten(dimension, dimension + 2)
    return value


def _disable_dropout(networks: list[nn.Module]) -> None:
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, (nn.Dropout, nn.Dropout2d)):
                layer.p = 0.0
