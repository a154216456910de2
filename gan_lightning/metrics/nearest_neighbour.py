"""What a nearest-neighbour classifier learns from generated data."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["NearestNeighbourError", "nearest", "nearest_labels"]

ROWS = 500


class NearestNeighbourError(SampleBuffer):
    """Error, on real test data, of the 1-nearest-neighbour classifier that has generated data.

    Beside it stands the error of the classifier that has as many real data.

    Args:
        real: (M, D), real training data to compare with.
        real_labels: (M,).
        test: (T, D).
        test_labels: (T,).

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), appendix A.2: Euclidean distance of
        pixels, generated digits with the labels that they were asked to have.
    """

    higher_is_better = False

    labels: Tensor
    real: Tensor
    real_labels: Tensor
    test: Tensor
    test_labels: Tensor

    def __init__(
        self, real: Tensor, real_labels: Tensor, test: Tensor, test_labels: Tensor
    ) -> None:
        super().__init__(len(real), test.shape[1])
        self.add_state("labels", torch.zeros(len(real), dtype=torch.int64), dist_reduce_fx="sum")
        for name, value in (("real", real.float()), ("test", test.float())):
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("real_labels", real_labels, persistent=False)
        self.register_buffer("test_labels", test_labels, persistent=False)

    def update(self, data: Tensor, labels: Tensor, first: int) -> None:
        """Add generated data (N, D) with labels (N,), data[0] being number `first` of all."""
        rows = self.hold(data, first)
        self.labels[rows] += labels[: len(self.labels[rows])].to(self.labels)

    def compute(self) -> dict[str, Tensor]:
        """Return shares of the test data in [0, 1].

        Returns:
            nearest_neighbour/error: of the classifier that has the generated data.
            nearest_neighbour/real_error: of the one that has as many real data.
        """
        samples, labels = self.samples(), self.labels[self.filled == 1]
        count = len(samples)
        found = {
            "error": nearest_labels(samples, labels, self.test),
            "real_error": nearest_labels(self.real[:count], self.real_labels[:count], self.test),
        }
        return {
            f"nearest_neighbour/{name}": (predicted != self.test_labels).double().mean()
            for name, predicted in found.items()
        }


def nearest_labels(known: Tensor, labels: Tensor, data: Tensor) -> Tensor:
    """Return the label of the nearest of `known` (M, D) to each of `data` (N, D), int64 (N,)."""
    norms = known.square().sum(1)
    nearest = [(norms - 2 * chunk @ known.T).argmin(1) for chunk in data.split(ROWS)]
    return labels[torch.cat(nearest)]


def nearest(data: Tensor, known: Iterable[Tensor], count: int) -> tuple[Tensor, Tensor]:
    """Find the nearest of many data, which come in chunks and are never held together.

    Args:
        data: (N, D).
        known: chunks (M, D) of what is searched, at least `count` in all.
        count: k, of the nearest.

    Returns:
        Euclidean distances, float64 (N, k), the nearest first, and places among all that is known,
        int64 (N, k).
    """
    data = data.double()
    norms = data.square().sum(1, keepdim=True)
    distances = data.new_empty(len(data), 0)
    places = torch.empty(len(data), 0, dtype=torch.int64, device=data.device)
    first = 0
    for chunk in known:
        rows = chunk.double()
        squares = norms + rows.square().sum(1) - 2 * data @ rows.T
        numbers = torch.arange(first, first + len(rows), device=data.device)
        distances = torch.cat([distances, squares], 1)
        places = torch.cat([places, numbers.expand(len(data), -1)], 1)
        distances, order = distances.topk(min(count, distances.shape[1]), largest=False)
        places = places.gather(1, order)
        first += len(rows)
    return distances.clamp(min=0).sqrt(), places
