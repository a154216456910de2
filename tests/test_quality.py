"""`make quality`: what it trains, and how its hours are estimated."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import CHECKOUT
from factories import make_config
from torch import Tensor
from torch.nn.functional import conv2d

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.training.build import build
from gan_lightning.types import DataSpec


@pytest.fixture
def quality(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(CHECKOUT / "benchmarks")
    import quality

    return quality


def test_operations_are_those_of_a_hand_count(quality: Any) -> None:
    """Networks 2-16-1 and 4-16-2; a product of n x m takes 2 n m operations a sample."""
    discriminator, generator = 2 * (2 * 16 + 16 * 1), 2 * (4 * 16 + 16 * 2)
    discriminator_step = 2 * (discriminator + discriminator + 2 * 16)  # real and generated
    through_discriminator = discriminator + discriminator  # frozen: gradients of its inputs only
    generator_step = generator + through_discriminator + generator + 2 * 16 * 2
    config = make_config("gan")
    counted = quality.count_operations(config, DataSpec((2,)))
    assert counted == config.data.batch_size * (discriminator_step + generator_step)
    twice = replace(config, data=replace(config.data, batch_size=16))
    assert quality.count_operations(twice, DataSpec((2,))) == 2 * counted


@pytest.mark.parametrize("groups", [1, 4])
def test_operations_of_grouped_convolutions(groups: int, quality: Any) -> None:
    data = torch.randn(1, 8, 5, 5, requires_grad=True)
    weight = torch.randn(8, 8 // groups, 3, 3, requires_grad=True)

    def output() -> Tensor:
        return conv2d(data, weight, padding=1, groups=groups)

    with quality._Operations() as forward:
        output()
    with quality._Operations() as both:
        output().sum().backward()
    assert forward.total == 2 * 25 * 9 * 8 * 8 // groups
    assert both.total == 3 * forward.total


def test_hours_follow_from_operations(quality: Any) -> None:
    assert quality.expected_hours(quality.UTILISATION * quality.PEAK, 3600) == pytest.approx(1)
    assert quality.expected_hours(1.0, 3600) == pytest.approx(quality.FLOOR)


def test_plans_have_the_data_of_their_experiments(quality: Any) -> None:
    for plan in quality.PLANS.values():
        config = load_config(read_yaml(experiment_path(plan.experiment)), [])
        if config.data.name == "cifar10":
            assert plan.spec.shape == (3, 32, 32)
            assert "CIFAR-10" in plan.needs
        else:
            assert replace(build(config)[1].spec, classes=None) == plan.spec


def test_what_takes_too_long_is_left_out(
    quality: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = {"infogan_mnist": 1.0, "r3gan_cifar10": 100.0}
    monkeypatch.setattr(quality, "PLANS", {name: quality.PLANS[name] for name in hours})
    estimates = iter([quality.Estimate(10, 1e9, hours[name]) for name in hours] * 2)
    monkeypatch.setattr(quality, "estimate", lambda plan: next(estimates))
    commands: list[list[str]] = []

    def run(command: list[str]) -> Any:
        commands.append(command[2:])
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(subprocess, "run", run)
    quality.main(["--list"])
    table = capsys.readouterr().out
    assert "hours (estimate)" in table
    assert "nothing of this was measured" in table
    assert not commands
    with pytest.raises(SystemExit, match="1"):
        quality.main([])
    seeds = "0,1,2,3,4,5,6,7,8,9"
    assert commands == [["gan_lightning", "verify", "infogan_mnist", "--seeds", seeds]]
    assert "r3gan_cifar10 is left out: about 100 hours" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        quality.main(["--only", "r3gan_cifar10"])
    assert commands[1] == ["gan_lightning", "verify", "r3gan_cifar10", "--seeds", "0"]
