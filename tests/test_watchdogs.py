"""Training that has gone wrong is noticed, and healthy training is left alone."""

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
from gan_lightning.callbacks.watchdogs import (
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    WarnOnCollapse,
    describe_collapse,
)
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import Diverged
from gan_lightning.gans.base import GAN
from gan_lightning.gans.round import train_round
from gan_lightning.metrics import DuplicateRate
from gan_lightning.training.train import train
from gan_lightning.types import Batch


def poison(monkeypatch: pytest.MonkeyPatch, player: str, update: int) -> None:
    """Put a NaN into a player's weights when `update` updates have been made."""

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
def test_a_nan_in_a_player_is_found_at_that_update(
    model: str, player: str, rounds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, player, 4)
    run = small(model, 10, f"trainer.rounds_per_batch={rounds}")
    with pytest.raises(Diverged) as error:
        train(run, "test", tmp_path / "run")
    said = str(error.value)
    assert said.startswith("update 5: ")
    assert " is nan" in said
    last = list_checkpoints(tmp_path / "run" / "checkpoints")[-1:]
    assert (str(last[0]) if last else "there is no checkpoint") in said
    for path in last:
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(value.isfinite().all() for value in state.values())


def bare_learner() -> BaseModule:
    """A learner without networks, of which a test sets what it needs."""
    abstract = dict.fromkeys(BaseModule.__abstractmethods__)
    learner = object.__new__(type("Bare", (BaseModule,), abstract))
    torch.nn.Module.__init__(learner)
    return learner


def test_where_looking_would_wait_the_update_is_found_later(monkeypatch: Any) -> None:
    """On a GPU losses are looked at when they are logged; the first bad update is still named."""
    learner = bare_learner()
    learner.updates, learner.non_finite = 7, None
    rows = [[1.0, 2.0], [1.0, 2.0], [1.0, float("inf")], [float("nan"), 2.0]]
    learner._unchecked = [list(torch.tensor(row)) for row in rows]
    learner._check(["a", "b"])
    assert learner.non_finite is not None
    assert learner.non_finite.update == 6
    assert learner.non_finite.describe() == "b is inf (a 1)"
    assert learner._unchecked == []


def test_weights_that_are_not_finite_are_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step after the last losses broke them: nothing but the weights tells."""

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


def test_the_command_says_it_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, "generator", 3)
    words = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "--output", str(tmp_path / "run")]
    outcome = run_cli("train", "gan_ring", *words)
    assert outcome.code == 3
    said = [line for line in outcome.err.splitlines() if "diverged" in line]
    assert len(said) == 1
    assert "gan-lightning: training diverged at update 4: loss/" in said[0]
    assert "update_0000002.ckpt" in said[0]
    assert "Traceback" not in outcome.err


def test_a_collapsed_ring_raises_an_alarm_and_a_healthy_one_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    train(small("gan", 9), "test", tmp_path / "healthy")
    assert "collapsed" not in capsys.readouterr().err
    monkeypatch.setattr(
        GAN, "generate", lambda self, given: self.generator(given.latent) * 0 + torch.ones(2)
    )
    train(small("gan", 9), "test", tmp_path / "collapsed")
    told = capsys.readouterr().err
    assert told.count("the generator has collapsed: ") == 1
    assert "at update 4 100% of its samples are near-copies of others" in told
    assert "network.packing=2" in told
    assert "has collapsed" in (tmp_path / "collapsed" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("measures", "kinds", "said"),
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
def test_what_collapse_is(measures: dict[str, float], kinds: int | None, said: str) -> None:
    found = describe_collapse(measures, kinds)
    assert said in found
    assert bool(found) == bool(said)


class FakeTrainer:
    """What the watch needs of a Trainer."""

    is_global_zero = True
    loggers: tuple[Any, ...] = ()


class FakeEvaluation:
    """An evaluation that has not come yet."""

    evaluated_at = None


def test_a_discriminator_that_has_won_is_told_once(capsys: Any) -> None:
    evaluation: Any = FakeEvaluation()
    trainer: Any = FakeTrainer()
    watch = WarnOnCollapse(evaluation, None)
    learner = bare_learner()

    def told(updates: int, loss: float, opponent: float = 4.0) -> int:
        learner.updates, learner.losses = (
            updates,
            {DISCRIMINATOR_LOSS: loss, GENERATOR_LOSS: opponent},
        )
        watch.on_train_batch_end(trainer, learner, None, None, 0)
        return capsys.readouterr().err.count("the discriminator has won")

    assert sum(told(update, 0.0, opponent=0.0) for update in range(0, 5000, 50)) == 0
    seen = [told(update, 0.01) for update in range(0, 450, 50)]
    assert sum(seen) == 0
    assert told(450, 0.9) == 0
    assert sum(told(update, 0.01) for update in range(500, 1000, 50)) == 0
    assert told(1000, 0.01) == 1
    assert told(1050, 0.01) == 0


def test_a_generator_that_nobody_trains_raises_no_alarm(tmp_path: Path, capsys: Any) -> None:
    words = [
        *tiny_overrides("cogan_adaptation_none"),
        "log.wandb=disabled",
        "log.every_n_updates=1",
    ]
    outcome = run_cli("train", "cogan_adaptation_none", *words, "--output", str(tmp_path / "run"))
    assert outcome.code == 0, outcome.err
    assert "collapsed" not in outcome.err
    assert "has won" not in outcome.err


def test_near_copies_are_counted() -> None:
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


def test_every_run_measures_its_duplicates(tmp_path: Path) -> None:
    outcome = train(small("gan", 4), "test", tmp_path / "run")
    assert 0 <= outcome.measures["samples/duplicates"] <= 1
    with outcome.run_directory.metrics.open() as file:
        assert "samples/duplicates" in next(csv.reader(file))
