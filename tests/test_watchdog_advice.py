"""What the watchdogs say: of a loss only what it tells, and advice that the run accepts."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from factories import ALL_GANS, make_config

from gan_lightning.callbacks.watchdogs import (
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    WON_BELOW,
    StopOnNonFinite,
    WarnOnCollapse,
)
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain
from gan_lightning.core.module import NonFiniteReport
from gan_lightning.errors import Diverged
from gan_lightning.losses import OBJECTIVES
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.training.checks import check_data
from gan_lightning.training.defaults import default_callbacks

BF16 = "trainer.precision=bf16-mixed"
SALIMANS = {"name": "salimans", "generator_hidden": [8], "discriminator_hidden": [8, 8]}
CHANGED = (
    *("network.packing=4", "network.minibatch_kernels=60", "network.spectral_norm=true"),
    "model.regularisation.r1=2",
)
CASES = {
    **{name: make_config(name, BF16) for name in ALL_GANS},
    "salimans": make_config("gan", BF16, network=SALIMANS),
    "an odd minibatch": make_config("gan", BF16, "data.batch_size=7"),
    "changed already": make_config("gan", BF16, *CHANGED),
}
WITHOUT_PACKS = (
    *("acgan", "began", "cogan", "ebgan", "infogan", "projected", "semi_supervised"),
    *("an odd minibatch", "changed already"),
)
"""Cases that refuse packs, or have larger ones."""


@pytest.mark.parametrize("case", CASES)
def test_a_run_accepts_what_it_is_advised(case: str, tmp_path: Path, capsys: Any) -> None:
    config = CASES[case]
    trainer: Any = SimpleNamespace(is_global_zero=True, loggers=[])
    model, data = build(config)
    callbacks = default_callbacks(config, RunDirectory(tmp_path), model, data)
    (collapse,) = (each for each in callbacks if isinstance(each, WarnOnCollapse))
    (stop,) = (each for each in callbacks if isinstance(each, StopOnNonFinite))
    collapse._evaluation.measures = {"samples/duplicates": 1.0}
    for update in (0, 1000):
        collapse._evaluation.evaluated_at = model.updates = update
        model.losses = {DISCRIMINATOR_LOSS: 0.01, GENERATOR_LOSS: 4.0}
        collapse.on_train_batch_end(trainer, model, None, None, 0)
    warnings = capsys.readouterr().err
    assert "has collapsed" in warnings
    assert ("has won" in warnings) == (case not in ("wgan", "wgan_gp"))
    with pytest.raises(Diverged) as diverged:
        stop._stop(trainer, model, NonFiniteReport(1, {}, ("w",)))
    overrides = {*re.findall(r"[a-z_.0-9]+=[-\w.]*\w", f"{warnings} {diverged.value}")}
    assert "trainer.precision=32-true" in overrides
    assert ("network.packing=2" in overrides) == (case not in WITHOUT_PACKS)
    if case == "changed already":
        keys = {override.partition("=")[0] for override in overrides}
        assert keys == {"model.name", "trainer.precision"}
    for override in overrides:
        changed = load_config(as_plain(config), [override])
        assert changed != config
        check_data(changed, build(changed)[1])


def test_a_class_that_fails_when_it_is_built_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CASES["gan"]
    callbacks = default_callbacks(config, RunDirectory(tmp_path), *build(config))
    (stop,) = (each for each in callbacks if isinstance(each, StopOnNonFinite))
    assert stop._accepts("model.regularisation.r1=1")
    monkeypatch.setattr("gan_lightning.training.advice.build_model", lambda *_: 1 / 0)
    assert not stop._accepts("model.regularisation.r1=1")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_loss_near_0_tells_of_a_won_game_where_only_separated_samples_have_it(name: str) -> None:
    objective, rng = OBJECTIVES[name], torch.Generator().manual_seed(0)
    targets = (1.0, 0.0) if name == "least_squares" else (8.0, -8.0)
    low = []  # whether samples are separated, where the loss is low
    for share in torch.linspace(-1, 1.5, 51):
        real, fake = torch.randn(2, 200, generator=rng) / 20
        real, fake = real + share * targets[0], fake + share * targets[1]
        if objective.discriminator(real, fake) < WON_BELOW:
            low.append(bool((real[:, None] > fake).float().mean() > 0.95))
    assert low
    assert all(low) == objective.zero_when_separated
