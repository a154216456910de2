"""Losses and weights that are not finite end a run; near-copies among samples are counted."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run_cli, tiny_overrides
from factories import ALL_GANS
from test_resume import small

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import Diverged
from gan_lightning.gans.base import GAN
from gan_lightning.gans.round import train_round
from gan_lightning.metrics import DuplicateRate
from gan_lightning.training.train import train
from gan_lightning.types import Batch


def poison(monkeypatch: pytest.MonkeyPatch, player: str, update: int) -> None:
    """Set a weight of a player to NaN after `update` updates."""

    def poisoned(gan: GAN, minibatches: list[Batch]) -> None:
        if gan.updates == update:
            players = getattr(gan, f"{player}_players")()
            weights = [weight for part in players.values() for weight in part.parameters()]
            with torch.no_grad():
                weights[0][(0,) * weights[0].ndim] = torch.nan
        train_round(gan, minibatches)

    monkeypatch.setattr("gan_lightning.gans.base.train_round", poisoned)


def log_of(run: Path) -> str:
    return (run / "log.txt").read_text()


@pytest.mark.parametrize("model", ALL_GANS)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("rounds", [1, 4])
def test_nan_in_a_player_is_detected_in_that_update(
    model: str, player: str, rounds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, player, 4)
    words = [f"trainer.rounds_per_batch={rounds}", "evaluation.every_n_updates=0"]
    run = small(model, 10, *words)
    with pytest.raises(Diverged) as error:
        train(run, "test", tmp_path / "run")
    message = str(error.value)
    assert message.startswith("update 5: ")
    assert " is nan" in message
    last = list_checkpoints(tmp_path / "run" / "checkpoints")[-1:]
    assert (str(last[0]) if last else "there is no checkpoint") in message
    assert "WARNING gan_lightning: training diverged at update 5: " in log_of(tmp_path / "run")
    for path in last:
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(value.isfinite().all() for value in state.values())


def bare_module() -> BaseModule:
    """A module without networks; tests set the attributes that they need."""
    abstract = dict.fromkeys(BaseModule.__abstractmethods__)
    model = object.__new__(type("Bare", (BaseModule,), abstract))
    torch.nn.Module.__init__(model)
    return model


def test_first_non_finite_update_is_found_among_unchecked_ones(monkeypatch: Any) -> None:
    """On a GPU losses are checked only when they are logged."""
    model = bare_module()
    model.updates, model.non_finite = 7, None
    rows = [[1.0, 2.0], [1.0, 2.0], [1.0, float("inf")], [float("nan"), 2.0]]
    model._unchecked = [list(torch.tensor(row)) for row in rows]
    model._check_losses(["a", "b"])
    assert model.non_finite is not None
    assert model.non_finite.update == 6
    assert model.non_finite.describe() == "b is inf (a 1)"
    assert model._unchecked == []


def test_weights_that_are_not_finite_are_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step after the last losses makes weights infinite, which no loss shows."""

    def poisoned(gan: GAN, minibatches: list[Batch]) -> None:
        train_round(gan, minibatches)
        if gan.updates == 6:
            with torch.no_grad():
                next(gan.generator.parameters()).view(-1)[0] = torch.inf

    monkeypatch.setattr("gan_lightning.gans.base.train_round", poisoned)
    with pytest.raises(Diverged, match=r"update 6: weights generator\..* are not finite.*0000003"):
        train(small("gan", 10), "test", tmp_path / "run")
    names = [path.name for path in list_checkpoints(tmp_path / "run" / "checkpoints")]
    assert names == ["update_0000003.ckpt"]


def test_train_command_reports_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, "generator", 3)
    words = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "--output", str(tmp_path / "run")]
    outcome = run_cli("train", "gan_ring", *words)
    assert outcome.code == 3
    lines = [line for line in outcome.err.splitlines() if "diverged" in line]
    assert len(lines) == 1
    assert "gan-lightning: training diverged at update 4: loss/" in lines[0]
    assert "update_0000002.ckpt" in lines[0]
    assert "Traceback" not in outcome.err


def test_near_copies_count_as_duplicates() -> None:
    real = torch.randn(200, 3, 4, generator=torch.Generator().manual_seed(0))
    rate = DuplicateRate(real)
    rate.update(real)
    assert rate.compute() < 0.05
    rate.reset()
    rate.update(torch.cat([real[:50], real[:50] + 1e-6, real[50:150]]))
    assert rate.compute() == 0.5
    rate.update(real[:1])
    assert rate.compute() == 0.5
    with pytest.raises(ValueError, match="there are 1 real samples"):
        DuplicateRate(real[:1])


def test_every_run_measures_duplicates(tmp_path: Path) -> None:
    outcome = train(small("gan", 4), "test", tmp_path / "run")
    assert 0 <= outcome.measures["samples/duplicates"] <= 1
    with outcome.run_directory.metrics.open() as file:
        assert "samples/duplicates" in next(csv.reader(file))
