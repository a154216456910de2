"""Perceptual path length of a generator, in the features of any network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["interpolate_latents", "path_lengths", "trimmed"]

EPSILON = 1e-4
"""Length of a step along a path, as a share of it."""

DISCARDED = 0.01
"""Share of the smallest and of the largest distances that is left out."""

Map = Callable[[Tensor], Tensor]


def interpolate_latents(start: Tensor, end: Tensor, at: Tensor, spherical: bool) -> Tensor:
    """Interpolate between latents.

    Args:
        start: (N, D).
        end: (N, D).
        at: positions in [0, 1], (N,).
        spherical: along great circles, for normal latents; otherwise along lines.

    Returns:
        (N, D).

    Source: Shoemake 1985 (Animating rotation with quaternion curves), section 3.3.
    """
    at = at[:, None]
    if not spherical:
        return start + at * (end - start)
    cosine = (normalize(start, dim=1) * normalize(end, dim=1)).sum(dim=1, keepdim=True)
    angle = cosine.clamp(-1, 1).acos()
    weights = ((1 - at) * angle).sin(), (at * angle).sin()
    return (weights[0] * start + weights[1] * end) / angle.sin()


def path_lengths(
    generate: Map, features: Map, start: Tensor, end: Tensor, at: Tensor, spherical: bool
) -> Tensor:
    """Compute the length of a short step on the path between two latents, in units of the step.

    d(G(z(t)), G(z(t + e))) / e^2, with e = 1e-4 and the squared Euclidean distance d of features.
    The perceptual path length is its mean over latents and positions, see `trimmed`.

    Args:
        generate: latents (N, D) -> images.
        features: images -> features (N, F).
        start: latents, (N, D).
        end: latents, (N, D).
        at: positions t, uniform in [0, 1], (N,).
        spherical: along great circles, for normal latents; otherwise along lines.

    Returns:
        (N,), float64.

    Source: Karras, Laine, Aila 2019 (arXiv:1812.04948), section 4.1, equation 2.
    Deviations: the distance of any features, where the paper has LPIPS with a VGG16, so that
        values of different features cannot be compared. Latents keep their lengths, since other
        generators than StyleGAN do not normalise them.
    """
    steps = (
        features(generate(interpolate_latents(start, end, at + shift, spherical))).double()
        for shift in (0, EPSILON)
    )
    first, second = steps
    return (first - second).square().sum(dim=1) / EPSILON**2


def trimmed(values: Tensor) -> Tensor:
    """Return which values lie between the 1st and the 99th percentile.

    Args:
        values: (N,).

    Returns:
        bool (N,).

    Source: the code that was published with Karras et al. 2019.
    """
    values = values.double()
    low = values.quantile(DISCARDED, interpolation="lower")
    high = values.quantile(1 - DISCARDED, interpolation="higher")
    return (values >= low) & (values <= high)
