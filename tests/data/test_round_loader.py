"""RoundLoader: order of rows, resuming, processes."""

from __future__ import annotations

import pytest
import torch

from gan_lightning.data import LoaderConfig, RoundLoader


def make_loader(updates: int, steps: int = 1, rounds: int = 1, **settings: int) -> RoundLoader:
    loader_config = LoaderConfig(updates, steps, rounds, seed=settings.pop("seed", 0))
    data = torch.arange(20)
    return RoundLoader(data, data % 3, batch_size=4, loader_config=loader_config, **settings)


def rows_of(loader: RoundLoader) -> list[int]:
    return [row for batch in loader for row in batch.data.flatten().tolist()]


def test_each_epoch_has_every_row_once_in_a_new_order() -> None:
    rows = rows_of(make_loader(10))
    assert sorted(rows[:20]) == sorted(rows[20:]) == list(range(20))
    assert rows[:20] != rows[20:]


def test_labels_match_their_rows() -> None:
    for batch in make_loader(10, steps=2, rounds=3):
        assert torch.equal(batch.data % 3, batch.labels)


def test_the_order_is_a_function_of_the_seed() -> None:
    assert rows_of(make_loader(10)) == rows_of(make_loader(10))
    assert rows_of(make_loader(10)) != rows_of(make_loader(10, seed=1))


@pytest.mark.parametrize("rounds", [1, 3, 7])
@pytest.mark.parametrize("first", [0, 1, 5, 7, 11, 12])
def test_resumed_loader_continues(rounds: int, first: int) -> None:
    full, rest = make_loader(12, 2, rounds), make_loader(12, 2, rounds, first_update=first)
    assert rows_of(rest) == rows_of(full)[first * 2 * 4 :]
    assert len(rest) == len(list(rest))
    assert len(full) == len(list(full))


def test_batches_end_at_multiples_of_their_rounds() -> None:
    sizes = [len(batch.data) for batch in make_loader(11, rounds=4, first_update=2)]
    assert sizes == [2, 4, 3]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_a_minibatch_without_overlap(world: int) -> None:
    global_batches = list(make_loader(10))
    parts = [list(make_loader(10, rank=rank, world_size=world)) for rank in range(world)]
    for number, batch in enumerate(global_batches):
        gathered = torch.cat([part[number].data for part in parts], dim=-1)
        assert torch.equal(gathered, batch.data)


def test_batch_size_out_of_range() -> None:
    with pytest.raises(ValueError, match="multiple of the 3 processes; the nearest is 3"):
        make_loader(1, rank=0, world_size=3)
    with pytest.raises(ValueError, match=r"batch_size is 4; it must lie in 1\.\.2"):
        RoundLoader(torch.zeros(2), None, batch_size=4, loader_config=LoaderConfig(1))
