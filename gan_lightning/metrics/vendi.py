"""Vendi score: the effective number of different samples."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["VendiScore", "vendi_score"]


def vendi_score(features: Tensor) -> Tensor:
    """Compute the exponential of the entropy of the eigenvalues of a similarity matrix.

    The similarity is the cosine of features. X X^T / N and X^T X / N have the same eigenvalues but
    for zeros, so the smaller of the two is decomposed, and all samples can be used.

    Args:
        features: (N, D); a row of zeros resembles nothing, itself included.

    Returns:
        Scalar, float64, from 1 if all features have one direction to min(N, D) if they are
        orthogonal.

    Source: Friedman, Dieng 2023 (arXiv:2210.02410), definition 3.1, with a linear kernel of
        normalised features, as in section 5.
    """
    features = torch.nn.functional.normalize(features.double(), dim=1)
    count, size = features.shape
    gram = features.T @ features if size <= count else features @ features.T
    values = torch.linalg.eigvalsh(gram / count)
    values = values[values > 0]
    entropy: Tensor = -(values * values.log()).sum()
    return entropy.exp()


class VendiScore(SampleBuffer):
    """Effective number of different samples in the features of any network.

    It needs no real images, and it does not tell variety from noise: compare it with the score of
    as many real images.

    Args:
        capacity: largest number of samples; further ones are ignored.
        size: number of features.

    Source: Friedman, Dieng 2023 (arXiv:2210.02410).
    """

    higher_is_better = True

    def update(self, samples: Tensor, first_index: int) -> None:
        """Add features (N, D), the first of which has this index among all samples.

        Raises:
            ValueError: the features have another shape, or first_index is negative.
        """
        self.store(samples, first_index)

    def compute(self) -> Tensor:
        """Return the score, a float64 scalar, at least 1.

        Raises:
            ValueError: there are no features, or two features have the same index.
        """
        return vendi_score(self.samples())
