"""Interpolation in latent space."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["interpolate"]


def interpolate(start: Tensor, end: Tensor, fractions: Tensor, prior: str) -> Tensor:
    """Interpolate between two latents, spherically for a normal prior and linearly otherwise.

    Normal latents of many dimensions lie near a sphere, and the generator is hardly trained inside
    of it, so their path is the great circle. Uniform latents fill a cube, which contains every
    straight line between two of its points.

    Args:
        start: latent (D,).
        end: latent (D,).
        fractions: positions on the path, (N,), 0 at the start and 1 at the end.
        prior: `normal`, `uniform` or `unit_uniform`.

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
