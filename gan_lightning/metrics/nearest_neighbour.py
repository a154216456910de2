"""Nearest-neighbour search, and the error of a 1-nearest-neighbour classifier."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import LabelledSampleBuffer

__all__ = ["NearestNeighbourError", "k_nearest", "nearest_labels"]

CHUNK_SIZE = 500
"""Samples compared with all others at a time."""


class NearestNeighbourError(LabelledSampleBuffer):
    """Test error of a 1-nearest-neighbour classifier whose training set is generated.

    It is reported together with the error of the classifier that has as many real samples.

    Args:
        real: real training data, (M, D); the metric stores the first M generated samples.
        real_labels: int64 (M,).
        test: real test data, (T, D).
        test_labels: int64 (T,).

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), appendix A.2: Euclidean distance of
        pixels, generated digits with the labels that they were generated for.
    """

    higher_is_better = False

    real: Tensor
    real_labels: Tensor
    test: Tensor
    test_labels: Tensor

    def __init__(
        self, real: Tensor, real_labels: Tensor, test: Tensor, test_labels: Tensor
    ) -> None:
        super().__init__(len(real), test.shape[1])
        for name, value in (("real", real.float()), ("test", test.float())):
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("real_labels", real_labels, persistent=False)
        self.register_buffer("test_labels", test_labels, persistent=False)

    def update(self, samples: Tensor, labels: Tensor, first_index: int) -> None:
        """Add generated samples.

        Args:
            samples: (N, D).
            labels: class that each sample was generated for, int64 (N,).
            first_index: index of samples[0] among all generated samples, at least 0.

        Raises:
            ValueError: the samples have another shape, or first_index is negative.
        """
        self.store_labelled(samples, labels, first_index)

    def compute(self) -> dict[str, Tensor]:
        """Return error rates on the test data, in [0, 1].

        Returns:
            nearest_neighbour/error: of the classifier with the generated samples.
            nearest_neighbour/real_error: of the classifier with as many real samples.

        Raises:
            ValueError: there are no samples, or two samples have the same index.
        """
        samples, labels = self.labelled_samples()
        count = len(samples)
        predictions = {
            "error": nearest_labels(samples, labels, self.test),
            "real_error": nearest_labels(self.real[:count], self.real_labels[:count], self.test),
        }
        return {
            f"nearest_neighbour/{name}": (predicted != self.test_labels).double().mean()
            for name, predicted in predictions.items()
        }


def nearest_labels(known: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """Classify queries (N, D) by the label of the nearest of `known` (M, D), int64 (N,)."""
    norms = known.square().sum(1)
    nearest = [(norms - 2 * chunk @ known.T).argmin(1) for chunk in queries.split(CHUNK_SIZE)]
    return labels[torch.cat(nearest)]


def k_nearest(queries: Tensor, chunks: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Find the k nearest neighbours in a dataset that is read in chunks.

    Args:
        queries: (N, D).
        chunks: the dataset in chunks (M, D), at least k samples in total.
        k: number of neighbours.

    Returns:
        Euclidean distances in ascending order, float64 (N, k), and indices into the dataset, int64
        (N, k).
    """
    queries = queries.double()
    norms = queries.square().sum(1, keepdim=True)
    squared_distances = queries.new_empty(len(queries), 0)
    indices = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    first_index = 0
    for chunk in chunks:
        known = chunk.double()
        new_distances = norms + known.square().sum(1) - 2 * queries @ known.T
        new_indices = torch.arange(first_index, first_index + len(known), device=queries.device)
        squared_distances = torch.cat([squared_distances, new_distances], 1)
        indices = torch.cat([indices, new_indices.expand(len(queries), -1)], 1)
        squared_distances, order = squared_distances.topk(
            min(k, squared_distances.shape[1]), largest=False
        )
        indices = indices.gather(1, order)
        first_index += len(known)
    return squared_distances.clamp(min=0).sqrt(), indices
