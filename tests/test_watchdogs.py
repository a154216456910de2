"""Failed training is detected, and healthy training raises no warning."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run_cli, tiny_overrides
from factories import ALL_GANS, make_gan
from test_resume import small

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.callbacks.watchdogs import (
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    WarnOnCollapse,
    describe_collapse,
)
from gan_lightning.config.schema import LogConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import Diverged
from gan_lightning.gans.base import GAN
from gan_lightning.gans.round import train_round
from gan_lightning.loggers import WandbRun
from gan_lightning.metrics import DuplicateRate
from gan_lightning.training.train import train
from gan_lightning.types import Batch, Condition


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


def test_collapsed_generator_is_warned_about_and_a_healthy_one_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    train(small("gan", 9), "test", tmp_path / "healthy")
    assert "collapsed" not in capsys.readouterr().err

    def collapsed(gan: GAN, given: Condition) -> torch.Tensor:
        return gan.generator(given.latent) * 0 + torch.ones(2)

    monkeypatch.setattr(GAN, "generate", collapsed)
    train(small("gan", 9), "test", tmp_path / "untrained")
    assert "collapsed" not in capsys.readouterr().err
    monkeypatch.setattr("gan_lightning.callbacks.watchdogs.COLLAPSE_AFTER", 4)
    train(small("gan", 9), "test", tmp_path / "collapsed")
    warning = capsys.readouterr().err
    assert warning.count("the generator has collapsed: ") == 1
    assert "at update 4 100% of its samples are near-copies of others" in warning
    assert "network.packing=2" in warning
    assert "has collapsed" in (tmp_path / "collapsed" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("measures", "num_modes", "text"),
    [
        ({"samples/duplicates": 0.5}, None, "50%"),
        ({"samples/duplicates": 0.4, "classes/covered": 5}, 10, "cover 5 of 10 modes"),
        ({"modes/covered": 2, "modes/high_quality": 0.9}, 8, "cover 2 of 8 modes"),
        ({"modes/covered": 2, "modes/high_quality": 0.1}, 25, ""),
        ({"modes/covered": 17, "modes/high_quality": 0.95}, 25, ""),
        ({"modes/covered": 79.0}, 1000, "cover 79 of 1,000 modes"),
        ({"classes/covered": 10}, 10, ""),
        ({}, None, ""),
    ],
)
def test_describe_collapse(measures: dict[str, float], num_modes: int | None, text: str) -> None:
    description = describe_collapse(measures, num_modes)
    assert text in description
    assert bool(description) == bool(text)


class FakeTrainer:
    """The attributes of a Trainer that the callback needs."""

    is_global_zero = True
    loggers: tuple[Any, ...] = ()


class FakeEvaluation:
    """The callback before its first evaluation."""

    evaluated_at = None


@pytest.mark.parametrize("name", ["gan", "wgan", "wgan_gp"])
def test_a_won_game_is_warned_about_once_and_a_critic_never_wins(name: str, capsys: Any) -> None:
    evaluation: Any = FakeEvaluation()
    trainer: Any = FakeTrainer()
    callback = WarnOnCollapse(evaluation, None)
    model = make_gan(name)
    can_win = name == "gan"

    def warnings(updates: int, loss: float, opponent: float = 4.0) -> int:
        model.updates, model.losses = (
            updates,
            {DISCRIMINATOR_LOSS: loss, GENERATOR_LOSS: opponent},
        )
        callback.on_train_batch_end(trainer, model, None, None, 0)
        return capsys.readouterr().err.count("the discriminator has won")

    assert sum(warnings(update, 0.0, opponent=0.0) for update in range(0, 5000, 50)) == 0
    counts = [warnings(update, 0.01) for update in range(0, 450, 50)]
    assert sum(counts) == 0
    assert warnings(450, 0.9) == 0
    assert sum(warnings(update, 0.01) for update in range(500, 1000, 50)) == 0
    assert warnings(1000, 0.01) == can_win
    assert warnings(1050, 0.01) == 0


class Alerts(WandbRun):
    """A logger that keeps the titles of alerts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LogConfig(), "offline", "test", folder, "id")
        self.titles: list[str] = []

    def alert(self, title: str, text: str, step: int) -> None:
        self.titles.append(title)


@pytest.mark.parametrize(
    ("name", "values", "alerts"),
    [
        ("samples/duplicates", {30: 1.0, 200: 0.9, 900: 0.6}, 0),
        ("samples/duplicates", {30: 0.4, 1000: 0.1}, 0),
        ("samples/duplicates", {30: 1.0, 200: 0.1, 300: 0.9, 400: 1.0, 1000: 1.0}, 1),
        ("samples/duplicates", {30: 1.0, 1000: 0.9, 1100: 0.9}, 1),
        ("modes/covered", {50: 0, 200: 3, 400: 5, 600: 8, 1000: 10}, 0),
        ("modes/covered", {200: 3, 400: 8, 600: 3, 800: 2}, 1),
        ("classes/covered", {200: 3, 999: 5}, 0),
        ("classes/covered", {200: 3, 1000: 5, 1200: 5}, 1),
    ],
)
def test_one_alert_of_a_collapse_after_diversity_or_the_warm_up(
    name: str, values: dict[int, float], alerts: int, tmp_path: Path, capsys: Any
) -> None:
    evaluation: Any = FakeEvaluation()
    trainer: Any = FakeTrainer()
    logger = Alerts(tmp_path)
    trainer.loggers = [logger]
    callback, model = WarnOnCollapse(evaluation, 10), make_gan("gan")
    for update, value in values.items():
        evaluation.evaluated_at = model.updates = update
        evaluation.measures = {name: value}
        callback.on_train_batch_end(trainer, model, None, None, 0)
        callback.on_train_end(trainer, model)
    assert logger.titles == ["the generator has collapsed"] * alerts
    assert capsys.readouterr().err.count("the generator has collapsed") == alerts


def test_a_generator_that_is_not_trained_raises_no_warning(tmp_path: Path, capsys: Any) -> None:
    words = [
        *tiny_overrides("cogan_adaptation_none"),
        "log.wandb=disabled",
        "log.every_n_updates=1",
    ]
    outcome = run_cli("train", "cogan_adaptation_none", *words, "--output", str(tmp_path / "run"))
    assert outcome.code == 0, outcome.err
    assert "collapsed" not in outcome.err
    assert "has won" not in outcome.err


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
