"""How well generated images lie among the real ones, and whether they reach all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["PrecisionRecall", "neighbour_distances"]

ROWS = 500
"""Features compared with all others at a time: 40 MB where there are 10,000 others."""


class PrecisionRecall(SampleBuffer):
    """Precision and recall, density and coverage, of generated features among the real ones.

    Each set spreads over the balls around its members that reach to their k-th nearest neighbour.
    Precision and density say whether generated images look real; recall and coverage whether all
    kinds of real images come. Real outliers have large balls, which flatter precision; density
    counts in how many balls an image lies. A generator cannot raise coverage by outliers of its
    own, as only balls of real images count. All depend on the numbers of images: compare values
    of equal ones.

    Args:
        real: features (M, D); the metric holds M generated ones at most, the first.
        neighbours: k of precision and recall.
        wide_neighbours: k of density and coverage.

    Raises:
        ValueError: the features are not (M, D), or a number is not positive.

    Source: precision and recall: Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019
        (arXiv:1904.06991), section 2, k = 3. Density and coverage: Naeem, Oh, Uh, Choi, Yoo 2020
        (arXiv:2002.09797), section 3, k = 5.
    Deviations: the code published with density and coverage leaves out the surface of the balls;
        here, as in both papers' formulas, they have it. It matters for copies only.
    """

    higher_is_better = True

    real: Tensor
    real_reach: Tensor

    def __init__(self, real: Tensor, neighbours: int = 3, wide_neighbours: int = 5) -> None:
        if real.ndim != 2 or 0 in real.shape:
            raise ValueError(f"real features have shape {tuple(real.shape)}; it must be (M, D)")
        if neighbours < 1 or wide_neighbours < 1:
            raise ValueError(
                f"neighbours is {neighbours} and wide_neighbours is {wide_neighbours}; both must "
                "be at least 1"
            )
        super().__init__(*real.shape)
        self.neighbours, self.wide_neighbours = neighbours, wide_neighbours
        reach = neighbour_distances(real.detach(), (neighbours, wide_neighbours))
        self.register_buffer("real", real.detach(), persistent=False)
        self.register_buffer("real_reach", reach, persistent=False)

    def update(self, features: Tensor, first: int) -> None:
        """Add generated features (N, D), features[0] being number `first` of all.

        Raises:
            ValueError: the features have another shape, or first is negative.
        """
        self.hold(features, first)

    def compute(self) -> dict[str, Tensor]:
        """Return the four measures, float64; NaN where a side has too few images for k neighbours.

        Returns:
            precision: share of generated images inside a ball of a real one, in [0, 1].
            recall: share of real images inside a ball of a generated one, in [0, 1].
            density: balls of real images that a generated one lies in, over k, at least 0; 1 in
                expectation where both sets are of one distribution.
            coverage: share of real images in whose ball lies a generated one, in [0, 1].

        Raises:
            ValueError: there are no features, or two have one number.
        """
        generated, real = self.samples().double(), self.real.double()
        near, wide = self.real_reach
        reach = neighbour_distances(generated, (self.neighbours,))[0]
        precise, dense = torch.zeros(2, dtype=torch.int64, device=real.device)
        recalled, covered = torch.zeros(2, len(real), dtype=torch.bool, device=real.device)
        for start in range(0, len(generated), ROWS):
            part = slice(start, start + ROWS)
            distances = torch.cdist(generated[part], real)
            precise += (distances <= near).any(dim=1).sum()
            recalled |= (distances <= reach[part, None]).any(dim=0)
            inside = distances <= wide
            dense += inside.sum()
            covered |= inside.any(dim=0)
        count = len(generated)
        return {
            "precision": _known(precise.double() / count, near),
            "recall": _known(recalled.double().mean(), reach),
            "density": _known(dense.double() / (count * self.wide_neighbours), wide),
            "coverage": _known(covered.double().mean(), wide),
        }


def neighbour_distances(points: Tensor, neighbours: tuple[int, ...]) -> Tensor:
    """Return how far from each point its k-th nearest of the others lies.

    Args:
        points: (N, D).
        neighbours: the values of k, K of them, each at least 1.

    Returns:
        Euclidean distances, float64 (K, N); NaN for a k that is not below N.
    """
    points = points.double()
    found = points.new_full((len(neighbours), len(points)), torch.nan)
    reachable = [i for i, k in enumerate(neighbours) if k < len(points)]
    if not reachable:
        return found
    most = max(neighbours[i] for i in reachable)
    for start in range(0, len(points), ROWS):
        distances = torch.cdist(points[start : start + ROWS], points)
        # by its number, not as the nearest: a copy is as near
        distances.diagonal(start).fill_(torch.inf)
        nearest = distances.topk(most, dim=1, largest=False).values
        for i in reachable:
            found[i, start : start + ROWS] = nearest[:, neighbours[i] - 1]
    return found


def _known(measure: Tensor, reach: Tensor) -> Tensor:
    """Return the measure, NaN where balls have no reach: nothing lies in those."""
    return torch.where(reach.isnan().any(), torch.nan, measure)
