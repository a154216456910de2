"""Rounds, toys and digits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from trees import TREES, prepared_root

from gan_lightning.data import DATASETS, Grid, RoundLoader, Schedule, SwissRoll
from gan_lightning.data.mnist import MNIST, MNISTConfig
from gan_lightning.data.toy2d import GridConfig, Ring, RingConfig, SwissRollConfig


def stream(updates: int, steps: int = 1, rounds: int = 1, **settings: int) -> RoundLoader:
    schedule = Schedule(updates, steps, rounds, seed=settings.pop("seed", 0))
    data = torch.arange(20)
    return RoundLoader(data, data % 3, batch_size=4, schedule=schedule, **settings)


def flat(rounds: RoundLoader) -> list[int]:
    return [row for batch in rounds for row in batch.data.flatten().tolist()]


def test_an_epoch_shows_every_datum_once_and_the_next_in_another_order() -> None:
    seen = flat(stream(10))
    assert sorted(seen[:20]) == sorted(seen[20:]) == list(range(20))
    assert seen[:20] != seen[20:]


def test_labels_stay_with_their_data() -> None:
    for batch in stream(10, steps=2, rounds=3):
        assert torch.equal(batch.data % 3, batch.labels)


def test_the_order_is_a_function_of_the_seed() -> None:
    assert flat(stream(10)) == flat(stream(10))
    assert flat(stream(10)) != flat(stream(10, seed=1))


@pytest.mark.parametrize("rounds", [1, 3, 7])
@pytest.mark.parametrize("first", [0, 1, 5, 7, 11, 12])
def test_a_resumed_stream_goes_on_where_it_was(rounds: int, first: int) -> None:
    whole, rest = stream(12, 2, rounds), stream(12, 2, rounds, first_update=first)
    assert flat(rest) == flat(whole)[first * 2 * 4 :]
    assert len(rest) == len(list(rest))
    assert len(whole) == len(list(whole))


def test_batches_end_at_multiples_of_their_rounds_so_that_cadences_are_met() -> None:
    sizes = [len(batch.data) for batch in stream(11, rounds=4, first_update=2)]
    assert sizes == [2, 4, 3]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_a_minibatch_without_overlap(world: int) -> None:
    whole = list(stream(10))
    parts = [list(stream(10, rank=rank, world_size=world)) for rank in range(world)]
    for number, batch in enumerate(whole):
        together = torch.cat([part[number].data for part in parts], dim=-1)
        assert torch.equal(together, batch.data)


def test_what_cannot_be_shared_or_filled_is_refused() -> None:
    with pytest.raises(ValueError, match="nearest that they can is 3"):
        stream(1, rank=0, world_size=3)
    with pytest.raises(ValueError, match=r"batch_size is 4; it must lie in 1\.\.2"):
        RoundLoader(torch.zeros(2), None, batch_size=4, schedule=Schedule(1))


def test_a_ring_has_all_its_modes_at_the_radius() -> None:
    ring = Ring(RingConfig(modes=8, radius=2.0))
    assert len(torch.unique(ring.centres.round(decimals=4), dim=0)) == 8
    torch.testing.assert_close(ring.centres.norm(dim=1), torch.full((8,), 2.0))
    gaps = torch.cdist(ring.centres, ring.centres) + 10 * torch.eye(8)
    torch.testing.assert_close(gaps.min(1).values, torch.full((8,), 4 * math.sin(math.pi / 8)))


def test_a_grid_is_pacgans() -> None:
    centres = Grid(GridConfig()).centres
    assert len(centres) == 25
    assert set(centres.flatten().tolist()) == {-4.0, -2.0, 0.0, 2.0, 4.0}


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_mixtures_draw_each_mode_equally_often_with_their_spread(name: str) -> None:
    world = DATASETS[name](DATASETS[name].Config())
    assert isinstance(world, Ring | Grid)
    points, labels = world.training_data()
    assert isinstance(points, Tensor)
    assert labels is not None
    assert points.shape == (100_000, 2)
    distances, nearest = torch.cdist(points, world.centres).min(1)
    assert (labels == nearest).float().mean() > 0.999
    modes = len(world.centres)
    shares = torch.bincount(nearest, minlength=modes) / len(points)
    assert (shares * modes - 1).abs().max() < 0.1
    deviation = (distances.square().mean() / 2).sqrt().item()
    assert deviation == pytest.approx(world.standard_deviation, rel=0.02)


def test_a_swiss_roll_lies_on_its_spiral() -> None:
    points, _ = SwissRoll(SwissRollConfig(noise=0.0)).training_data()
    radius = points.norm(dim=1) * 7.5
    angle = torch.atan2(points[:, 1], points[:, 0])
    turns = (radius - angle) / (2 * math.pi)
    torch.testing.assert_close(turns, turns.round(), atol=1e-4, rtol=0)
    assert 1.5 * math.pi <= radius.min() + 1e-4
    assert radius.max() <= 4.5 * math.pi + 1e-4


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_data_sets_keep_their_contract(name: str) -> None:
    copy = {"root": str(prepared_root(name))} if name in TREES else {}
    world = DATASETS[name](DATASETS[name].Config(batch_size=8, **copy))
    data, labels = world.training_data()
    world.schedule = Schedule(2, 3, 2)
    batch = world.on_after_batch_transfer(next(iter(world.train_dataloader())), 0)
    size = world.config.batch_size
    assert batch.data.shape == (2, 3, size, *world.spec.shape)
    assert batch.data.dtype == torch.float32
    assert (labels is None) == (world.spec.classes is None)
    test = world.test_data()
    assert test.data.shape[1:] == world.spec.shape
    if world.spec.is_image:
        assert data[torch.tensor([0])].dtype == torch.uint8
        assert -1 <= batch.data.min() < -0.9
        assert 0.9 < batch.data.max() <= 1
        minibatch = batch.data[0, 0]
        assert minibatch.is_contiguous(memory_format=torch.channels_last)


def test_mnist_is_mnist() -> None:
    digits = MNIST(MNISTConfig())
    images, labels = digits.training_data()
    assert images.shape == (60_000, 28, 28, 1)
    assert images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert torch.bincount(labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    test = digits.test_data()
    assert test.data.shape == (10_000, 1, 28, 28)
    assert test.labels is not None
    assert torch.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_mnist_at_32_pixels_has_a_black_border() -> None:
    small, large = MNIST(MNISTConfig()), MNIST(MNISTConfig(size=32))
    inner = large.test_data().data[..., 2:-2, 2:-2]
    assert torch.equal(inner, small.test_data().data)
    assert (large.test_data().data[..., 0, :] == -1).all()


def test_the_images_are_read_once() -> None:
    first, _ = MNIST(MNISTConfig()).training_data()
    second, _ = MNIST(MNISTConfig()).training_data()
    assert first.data_ptr() == second.data_ptr()
