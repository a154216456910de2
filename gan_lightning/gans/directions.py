"""Directions of latent space along which a generator's features vary most, found without labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gan_lightning.core.module import to_float64
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans.base import GAN
from gan_lightning.types import Condition

__all__ = ["DIRECTION_LIMIT", "latent_std", "principal_directions"]

DIRECTION_LIMIT = 4.0
"""Directions run this many standard deviations of the prior either way."""

LATENT_STDS = {"normal": 1.0, "uniform": 1 / math.sqrt(3), "unit_uniform": 1 / math.sqrt(12)}

SAMPLES = 1000
"""Latents whose features are analysed."""


def latent_std(prior: str) -> float:
    """Return the standard deviation of each element of a latent, for a `latent_prior`."""
    return LATENT_STDS[prior]


@torch.no_grad()
def principal_directions(gan: GAN, count: int) -> Tensor:
    """Find the directions of latent space along which the generator's first features vary most.

    The principal components are computed from the input of the generator's second weight layer, for
    1,000 latents with fixed class and codes, and mapped to latent space by linear regression.

    Args:
        gan: with a latent.
        count: number of directions.

    Returns:
        Unit vectors in order of decreasing variance, (at most `count` and latent size, latent
        size). The largest element of each is positive.

    Source: Härkönen et al. 2020 (arXiv:2004.02546), GANSpace, section 2.3.
    """
    seed = derived_seed("directions")
    rng = torch.Generator(gan.device).manual_seed(seed)
    condition = gan.prior(SAMPLES, rng)
    assert condition.latent is not None
    fixed = {name: part[:1].expand_as(part) for name, part in condition.parts().items()}
    features = _first_features(gan, Condition(**{**fixed, "latent": condition.latent}), seed)
    features = features - features.mean(0)
    count = min(count, condition.latent.shape[1], features.shape[1])
    # the Gram matrix of the samples and that of the features have the same components
    if features.shape[1] < SAMPLES:
        _, axes = torch.linalg.eigh(to_float64(features.T @ features))
        scores = to_float64(features) @ axes
    else:
        _, scores = torch.linalg.eigh(to_float64(features @ features.T))
    scores = scores[:, scores.shape[1] - count :].flip(1).to(condition.latent)
    directions = scores.T @ (condition.latent - condition.latent.mean(0))
    directions = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-12)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    oriented: Tensor = directions * largest.sign()
    return oriented


class _StopForward(Exception):  # noqa: N818 - it ends a forward pass and is no error
    """Raised by a hook to skip the rest of a forward pass."""


def _first_features(gan: GAN, condition: Condition, seed: int) -> Tensor:
    """Return the input of the generator's second weight layer, (N, features).

    Of a generator with one weight layer it is the output.
    """
    layers = [layer for layer in gan.inference_network().modules() if _is_weight_layer(layer)]
    assert condition.latent is not None
    if len(layers) < 2:
        return gan.sample(len(condition.latent), condition, seed=seed).data.flatten(1).float()
    captured: list[Tensor] = []

    def capture(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        captured.append(inputs[0].detach().flatten(1).float())
        raise _StopForward

    hook = layers[1].register_forward_pre_hook(capture)
    try:
        gan.sample(len(condition.latent), condition, seed=seed)
    except _StopForward:
        pass
    finally:
        hook.remove()
    return captured[0]


def _is_weight_layer(layer: nn.Module) -> bool:
    """Return whether a layer has a weight matrix or kernel, unlike a normalisation layer."""
    return any(weight.ndim >= 2 for weight in layer.parameters(recurse=False))
