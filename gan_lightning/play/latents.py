"""Ways through latent space: between two latents, and along directions found without labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.types import Condition

__all__ = ["interpolated", "latent_deviation", "principal_directions"]

SAMPLES = 1000
"""Latents whose activations are looked at."""


def interpolated(start: Tensor, end: Tensor, at: Tensor, prior: str) -> Tensor:
    """Return latents on the way from one to another, as likely under the prior as the two.

    Normal latents of many dimensions lie near a sphere, whose inside the generator has hardly
    seen: the way is along the great circle. Uniform ones fill a cube, which holds every straight
    line between two of its points.

    Args:
        start: latent (D,).
        end: latent (D,).
        at: places (N,), 0 for the start and 1 for the end.
        prior: normal or uniform.

    Returns:
        Latents (N, D).

    Source: Shoemake 1985, "Animating rotation with quaternion curves", section 3.3, for the normal.
    """
    at = at[:, None]
    if prior == "normal":
        cosine = torch.cosine_similarity(start, end, 0).clamp(-1, 1)
        angle = cosine.arccos()
        if angle.sin() > 1e-4:  # two latents of opposite directions have no one great circle
            weights = ((1 - at) * angle).sin(), (at * angle).sin()
            return (weights[0] * start + weights[1] * end) / angle.sin()
    return (1 - at) * start + at * end


def latent_deviation(prior: str) -> float:
    """Return the standard deviation of each number of a latent, `normal` or `uniform`."""
    return 1.0 if prior == "normal" else 1 / math.sqrt(3)


@torch.no_grad()
def principal_directions(gan: GAN, count: int) -> Tensor:
    """Find the directions of the latent along which the generator's first features vary most.

    They are the principal components of what enters the generator's second layer with weights, of
    1,000 latents with classes and codes held, carried back to the latent by linear regression.

    Args:
        gan: with a latent.
        count: of directions.

    Returns:
        Unit vectors, the strongest first, (at most `count` and latent size, latent size); the
        largest number of each is positive.

    Source: Härkönen et al. 2020 (arXiv:2004.02546), GANSpace, section 2.3.
    """
    seed = derived_seed("directions")
    rng = torch.Generator(gan.device).manual_seed(seed)
    drawn = gan.prior(SAMPLES, rng)
    assert drawn.latent is not None
    held = {name: part[:1].expand_as(part) for name, part in drawn.parts().items()}
    features = _first_features(gan, Condition(**{**held, "latent": drawn.latent}), seed)
    features = features - features.mean(0)
    count = min(count, drawn.latent.shape[1], features.shape[1])
    # of as many latents as features, or fewer, the outer product is the smaller matrix
    _, scores = torch.linalg.eigh((features @ features.T).double())
    scores = scores[:, len(scores) - count :].flip(1).to(drawn.latent.dtype)
    directions = scores.T @ (drawn.latent - drawn.latent.mean(0))
    directions = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-12)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    oriented: Tensor = directions * largest.sign()
    return oriented


class _SeenError(Exception):
    """Carries what has been looked for out of a network that need not go on."""


def _first_features(gan: GAN, condition: Condition, seed: int) -> Tensor:
    """Return what enters the generator's second layer with weights, (N, features)."""
    layers = [layer for layer in gan.inference_network().modules() if _has_weights(layer)]
    seen: list[Tensor] = []

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].detach().flatten(1).float())
        raise _SeenError

    hook = layers[1].register_forward_pre_hook(look)
    try:
        assert condition.latent is not None
        gan.sample(len(condition.latent), condition, seed=seed)
    except _SeenError:
        pass
    finally:
        hook.remove()
    return seen[0]


def _has_weights(layer: nn.Module) -> bool:
    """Tell a layer that mixes its inputs from one that scales them or does neither."""
    return any(weight.ndim >= 2 for weight in layer.parameters(recurse=False))
