"""The running average against PyTorch's own, with moved and copied modules."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gan_lightning.gans.ema import RunningAverage, ema_decay_schedule


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def train(module: nn.Module) -> None:
    """Change weights, running statistics and counts."""
    module(torch.randn(8, 3, dtype=next(module.parameters()).dtype))
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight))


def same(one: nn.Module, other: nn.Module) -> bool:
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in states)


@pytest.mark.parametrize("decay", [0.2, 0.9, 0.999])
def test_it_equals_pytorchs_average(decay: float) -> None:
    module, decays = network(), [0.0, decay, decay, decay]
    ours = RunningAverage(module, lambda: decays.pop(0))
    theirs = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    while decays:
        train(module)
        ours.update_parameters(module)
        theirs.update_parameters(module)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert ours.n_averaged == theirs.n_averaged == 4
    for name, value in ours.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, theirs.state_dict()[name], msg=name)
    assert ours.module.get_buffer("1.num_batches_tracked") == 4
    assert not any(weight.requires_grad for weight in ours.parameters())


def test_it_averages_the_tensors_of_a_moved_module() -> None:
    both = nn.ModuleList([module := network()])
    average = RunningAverage(module, lambda: 0.0)
    both.append(average)
    average.update_parameters(module)
    both.double()  # a buffer of another type is another tensor
    train(module)
    average.update_parameters(module)
    assert same(module, average.module)


def test_a_copy_has_its_own_average() -> None:
    module = network()
    average = RunningAverage(module, lambda: 0.0)
    average.update_parameters(module)
    other, others = deepcopy((module, average))
    train(other)
    others.update_parameters(other)
    assert same(other, others.module)
    assert same(module, average.module)
    assert not same(module, other)


def test_the_decay_grows_to_that_of_the_config() -> None:
    decays = [ema_decay_schedule(0.99, updates) for updates in range(2_000)]
    assert decays[0] == 0
    assert decays == sorted(decays)
    assert decays[1] == pytest.approx(2 / 11)
    assert decays[-1] == 0.99
