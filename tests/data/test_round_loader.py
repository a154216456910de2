"""RoundLoader: order of rows, resuming, processes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves

from gan_lightning.data import LoaderConfig, RoundLoader
from gan_lightning.testing.synthetic import SyntheticData
from gan_lightning.types import Batch, DataSpec


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


@pytest.mark.parametrize("pin", [False, True])
def test_batches_are_pinned_where_a_gpu_copies_them(
    pin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pinning needs CUDA; here it is replaced by a copy."""
    pinned: list[torch.Tensor] = []

    def copy(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", copy)
    data = torch.arange(24.0)
    settings: dict[str, Any] = {
        "labelled": (data, data.long() % 3),
        "source": data,
        "random_mirror": True,
        "crop_margin": 1,
        "batch_size": 4,
        "loader_config": LoaderConfig(2),
    }
    plain = list(RoundLoader(data, data % 3, **settings))
    batches = list(RoundLoader(data, data % 3, pin_memory=pin, **settings))
    assert len(pinned) == (14 if pin else 0)  # two batches of five tensors and two labelled ones
    for first, second in zip(plain, batches, strict=True):
        pairs = zip(tree_leaves(first), tree_leaves(second), strict=True)
        assert all(a is b or torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_run_on_a_gpu_pins_its_batches(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[int] = []
    monkeypatch.setattr(Batch, "pin_memory", lambda batch: pinned.append(1) or batch)
    data = SyntheticData(DataSpec((2,)))
    data.loader_config = LoaderConfig(2)
    model = SimpleNamespace(updates=0, device=torch.device(device))
    trainer: Any = SimpleNamespace(lightning_module=model, global_rank=0, world_size=1)
    data.trainer = trainer
    assert len(list(data.train_dataloader())) == 2
    assert len(pinned) == (2 if device == "cuda" else 0)
