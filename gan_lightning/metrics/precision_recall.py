"""Precision, recall, density and coverage of generated images in the features of any network."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = ["PrecisionRecall", "neighbour_distances"]

CHUNK_SIZE = 500
"""Features compared with all others at a time: 40 MB with 10,000 others."""


class PrecisionRecall(ReferenceSampleBuffer):
    """Precision and recall, density and coverage of generated features.

    The manifold of a set of features is the union of balls around them, each with the distance to
    the k-th nearest neighbour as its radius. Precision is the fraction of generated features in
    the real manifold, recall the fraction of real features in the generated manifold. Density and
    coverage are more robust to outliers, whose balls are large: density counts the real balls that
    contain a generated feature, and coverage the real balls that contain at least one. All four
    depend on the numbers of images, so compare values of equal numbers.

    Args:
        real: features (M, D); the metric stores the first M generated ones.
        k: number of neighbours for precision and recall.
        density_k: number of neighbours for density and coverage.

    Raises:
        ValueError: the features are not (M, D), or a number is below 1.

    Source: precision and recall: Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019
        (arXiv:1904.06991), section 2, k = 3. Density and coverage: Naeem, Oh, Uh, Choi, Yoo 2020
        (arXiv:2002.09797), section 3, k = 5.
    Deviations: the code published with density and coverage excludes the surface of the balls;
        here it is included, as in the formulas of both papers. The difference affects duplicates
        only.
    """

    higher_is_better = True

    real_radii: Tensor

    def __init__(self, real: Tensor, k: int = 3, density_k: int = 5) -> None:
        if k < 1 or density_k < 1:
            raise ValueError(f"k is {k} and density_k is {density_k}; both must be at least 1")
        super().__init__(real)
        self.k, self.density_k = k, density_k
        radii = neighbour_distances(real.detach(), (k, density_k))
        self.register_buffer("real_radii", radii, persistent=False)

    def compute(self) -> dict[str, Tensor]:
        """Return the four measures, float64; NaN if a side has too few images for k neighbours.

        Returns:
            precision: fraction of generated images in at least one real ball, in [0, 1].
            recall: fraction of real images in at least one generated ball, in [0, 1].
            density: mean number of real balls that contain a generated image, over k; at least 0,
                1 in expectation if both sets have the same distribution.
            coverage: fraction of real images whose ball contains a generated image, in [0, 1].

        Raises:
            ValueError: there are no features, or two features have the same index.
        """
        generated, real = self.samples().double(), self.real.double()
        radii, density_radii = self.real_radii
        generated_radii = neighbour_distances(generated, (self.k,))[0]
        in_real_manifold, containing_balls = torch.zeros(2, dtype=torch.int64, device=real.device)
        recalled, covered = torch.zeros(2, len(real), dtype=torch.bool, device=real.device)
        for start in range(0, len(generated), CHUNK_SIZE):
            chunk = slice(start, start + CHUNK_SIZE)
            distances = torch.cdist(generated[chunk], real)
            in_real_manifold += (distances <= radii).any(dim=1).sum()
            recalled |= (distances <= generated_radii[chunk, None]).any(dim=0)
            inside = distances <= density_radii
            containing_balls += inside.sum()
            covered |= inside.any(dim=0)
        count = len(generated)
        return {
            "precision": _nan_without_radii(in_real_manifold.double() / count, radii),
            "recall": _nan_without_radii(recalled.double().mean(), generated_radii),
            "density": _nan_without_radii(
                containing_balls.double() / (count * self.density_k), density_radii
            ),
            "coverage": _nan_without_radii(covered.double().mean(), density_radii),
        }


def neighbour_distances(points: Tensor, ks: tuple[int, ...]) -> Tensor:
    """Compute the distance of each point to its k-th nearest neighbour among the others.

    Args:
        points: (N, D).
        ks: values of k, K of them, each at least 1.

    Returns:
        Euclidean distances, float64 (K, N); NaN for a k that is not below N.
    """
    points = points.double()
    result = points.new_full((len(ks), len(points)), torch.nan)
    defined = [i for i, k in enumerate(ks) if k < len(points)]
    if not defined:
        return result
    largest_k = max(ks[i] for i in defined)
    for start in range(0, len(points), CHUNK_SIZE):
        distances = torch.cdist(points[start : start + CHUNK_SIZE], points)
        # exclude each point by its index, not as the nearest one: a duplicate has distance 0 too
        distances.diagonal(start).fill_(torch.inf)
        nearest = distances.topk(largest_k, dim=1, largest=False).values
        for i in defined:
            result[i, start : start + CHUNK_SIZE] = nearest[:, ks[i] - 1]
    return result


def _nan_without_radii(value: Tensor, radii: Tensor) -> Tensor:
    return torch.where(radii.isnan().any(), torch.nan, value)
