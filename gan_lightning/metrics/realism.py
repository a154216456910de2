"""Realism of single generated samples, by their distance to the manifold of real images."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.precision_recall import neighbour_distances

__all__ = ["hole_depths", "realism_scores"]

NEIGHBOURS = 3
COVERAGE_NEIGHBOURS = 5
CHUNK_SIZE = 500


def realism_scores(generated: Tensor, real: Tensor) -> Tensor:
    """Compute how deep each sample lies inside the manifold of real features.

    The largest ratio of the radius of a real ball, the distance to its third neighbour, to the
    distance of the sample from its centre; 1 or more lies inside. The half of the balls with the
    largest radii, those of outliers, is left out.

    Args:
        generated: (N, D).
        real: (M, D), M at least 4.

    Returns:
        (N,), float64, at least 0; infinite for copies.

    Source: Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019 (arXiv:1904.06991), equation 3.
    """
    radii = neighbour_distances(real, (NEIGHBOURS,))[0]
    typical = radii <= radii.median()
    centres, radii = real[typical].double(), radii[typical]
    parts = []
    for chunk in generated.split(CHUNK_SIZE):
        distances = torch.cdist(chunk.double(), centres)
        # a copy of a duplicated image is 0 / 0
        parts.append(torch.where(distances == 0, torch.inf, radii / distances).amax(dim=1))
    return torch.cat(parts)


def hole_depths(generated: Tensor, real: Tensor) -> Tensor:
    """Compute how far each real feature is from being covered.

    The distance to the nearest sample, divided by the radius of the ball of a real feature, the
    distance to its fifth neighbour; the coverage counts those of at most 1.

    Args:
        generated: (N, D).
        real: (M, D), M at least 6.

    Returns:
        (M,), float64, at least 0.

    Source: Naeem, Oh, Uh, Choi, Yoo 2020 (arXiv:2002.09797), equation 9, for the balls.
    """
    radii = neighbour_distances(real, (COVERAGE_NEIGHBOURS,))[0]
    nearest = torch.cat(
        [
            torch.cdist(chunk.double(), generated.double()).amin(dim=1)
            for chunk in real.split(CHUNK_SIZE)
        ]
    )
    # a duplicated real image has a radius of 0: it is covered by a copy only
    return torch.where(nearest == 0, 0, nearest / radii)
