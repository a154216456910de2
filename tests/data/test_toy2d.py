"""Toy datasets: modes, frequencies, the spiral."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_lightning.data import DATASETS, Grid, SwissRoll
from gan_lightning.data.toy2d import GridConfig, Ring, RingConfig, SwissRollConfig


def test_ring_has_distinct_modes_at_the_radius() -> None:
    ring = Ring(RingConfig(modes=8, radius=2.0))
    assert len(torch.unique(ring.centres.round(decimals=4), dim=0)) == 8
    torch.testing.assert_close(ring.centres.norm(dim=1), torch.full((8,), 2.0))
    gaps = torch.cdist(ring.centres, ring.centres) + 10 * torch.eye(8)
    torch.testing.assert_close(gaps.min(1).values, torch.full((8,), 4 * math.sin(math.pi / 8)))


def test_grid_of_pacgan() -> None:
    centres = Grid(GridConfig()).centres
    assert len(centres) == 25
    assert set(centres.flatten().tolist()) == {-4.0, -2.0, 0.0, 2.0, 4.0}


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_mixtures_sample_modes_equally_often_with_their_deviation(name: str) -> None:
    dataset = DATASETS[name](DATASETS[name].Config())
    assert isinstance(dataset, Ring | Grid)
    points, labels = dataset.training_data()
    assert isinstance(points, Tensor)
    assert labels is not None
    assert points.shape == (100_000, 2)
    distances, nearest = torch.cdist(points, dataset.centres).min(1)
    assert (labels == nearest).float().mean() > 0.999
    modes = len(dataset.centres)
    shares = torch.bincount(nearest, minlength=modes) / len(points)
    assert (shares * modes - 1).abs().max() < 0.1
    deviation = (distances.square().mean() / 2).sqrt().item()
    assert deviation == pytest.approx(dataset.standard_deviation, rel=0.02)


def test_swiss_roll_lies_on_its_spiral() -> None:
    points, _ = SwissRoll(SwissRollConfig(noise=0.0)).training_data()
    radius = points.norm(dim=1) * 7.5
    angle = torch.atan2(points[:, 1], points[:, 0])
    turns = (radius - angle) / (2 * math.pi)
    torch.testing.assert_close(turns, turns.round(), atol=1e-4, rtol=0)
    assert 1.5 * math.pi <= radius.min() + 1e-4
    assert radius.max() <= 4.5 * math.pi + 1e-4
