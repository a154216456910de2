"""NearestNeighbourError against scipy."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial.distance import cdist

from gan_lightning.metrics import NearestNeighbourError

RNG = torch.Generator().manual_seed(0)


def test_error_equals_scipys_over_all_distances() -> None:
    generated, real, test = (torch.rand(30, 5, generator=RNG) for _ in range(3))
    labels, real_labels, test_labels = (torch.randint(4, (30,), generator=RNG) for _ in range(3))
    metric = NearestNeighbourError(real, real_labels, test, test_labels)
    metric.update(generated[:20], labels[:20], 0)
    metric.update(generated[20:], labels[20:], 20)
    values = {name: value.item() for name, value in metric.compute().items()}
    for name, known, known_labels in (
        ("error", generated, labels),
        ("real_error", real, real_labels),
    ):
        nearest = cdist(test.numpy(), known.numpy()).argmin(axis=1)
        expected = (known_labels[nearest] != test_labels).double().mean().item()
        assert values[f"nearest_neighbour/{name}"] == pytest.approx(expected)
