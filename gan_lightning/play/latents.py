"""Paths in latent space: interpolation, and directions that are found without labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.types import Condition

__all__ = ["interpolate", "latent_std", "principal_directions"]

SAMPLES = 1000
"""Latents whose features are analysed."""


def interpolate(start: Tensor, end: Tensor, fractions: Tensor, prior: str) -> Tensor:
    """Interpolate between two latents, spherically for a normal prior and linearly otherwise.

    Normal latents of many dimensions lie near a sphere, and the generator is hardly trained inside
    of it, so their path is the great circle. Uniform latents fill a cube, which contains every
    straight line between two of its points.

    Args:
        start: latent (D,).
        end: latent (D,).
        fractions: positions on the path, (N,), 0 at the start and 1 at the end.
        prior: `normal` or `uniform`.

    Returns:
        Latents (N, D).

    Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3, for the normal
        prior.
    """
    fractions = fractions[:, None]
    if prior == "normal":
        cosine = torch.cosine_similarity(start, end, 0).clamp(-1, 1)
        angle = cosine.arccos()
        if angle.sin() > 1e-4:  # opposite latents have no unique great circle
            weights = ((1 - fractions) * angle).sin(), (fractions * angle).sin()
            return (weights[0] * start + weights[1] * end) / angle.sin()
    return (1 - fractions) * start + fractions * end


def latent_std(prior: str) -> float:
    """Return the standard deviation of each element of a latent, for `normal` or `uniform`."""
    return 1.0 if prior == "normal" else 1 / math.sqrt(3)


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
    # The Gram matrix of the samples is smaller than the covariance matrix of the features.
    _, scores = torch.linalg.eigh((features @ features.T).double())
    scores = scores[:, len(scores) - count :].flip(1).to(condition.latent.dtype)
    directions = scores.T @ (condition.latent - condition.latent.mean(0))
    directions = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-12)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    oriented: Tensor = directions * largest.sign()
    return oriented


class _StopForward(Exception):  # noqa: N818 - it ends a forward pass and is no error
    """Raised by a hook to skip the rest of a forward pass."""


def _first_features(gan: GAN, condition: Condition, seed: int) -> Tensor:
    """Return the input of the generator's second weight layer, (N, features)."""
    layers = [layer for layer in gan.inference_network().modules() if _is_weight_layer(layer)]
    captured: list[Tensor] = []

    def capture(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        captured.append(inputs[0].detach().flatten(1).float())
        raise _StopForward

    hook = layers[1].register_forward_pre_hook(capture)
    try:
        assert condition.latent is not None
        gan.sample(len(condition.latent), condition, seed=seed)
    except _StopForward:
        pass
    finally:
        hook.remove()
    return captured[0]


def _is_weight_layer(layer: nn.Module) -> bool:
    """Return whether a layer has a weight matrix or kernel, unlike a normalisation layer."""
    return any(weight.ndim >= 2 for weight in layer.parameters(recurse=False))
