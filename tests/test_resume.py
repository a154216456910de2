"""A resumed run equals an uninterrupted one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from factories import ALL_GANS, make_config

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.training.train import TrainingResult, train


def small(model: str, updates: int, *options: str) -> RunConfig:
    return make_config(
        model,
        f"trainer.max_updates={updates}",
        "model.discriminator_steps=2",
        "model.ema_decay=0.9",
        "log.wandb=disabled",
        "log.every_n_updates=2",
        "checkpoints.every_n_updates=3",
        "evaluation.samples=20",
        "evaluation.every_n_updates=4",
        "pictures.every_n_updates=0",
        *options,
    )


def train_new(run: RunConfig, folder: Path) -> TrainingResult:
    return train(run, "test", folder)


def losses(folder: Path) -> list[tuple[str, ...]]:
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith(("loss", "updates", "images"))]
    return [tuple(row[name] for name in names) for row in rows if row["images_seen"]]


@pytest.mark.parametrize("model", ["gan", "infogan"])
def test_run_resumed_three_times_equals_an_uninterrupted_run(model: str, tmp_path: Path) -> None:
    assert_resumes(model, (1, 4, 7, 10), tmp_path)


ALL_OPTIONS = (
    "model.regularisation.r1=0.1",
    "model.regularisation.gradient_penalty=1",
    "model.regularisation.instance_noise=0.2",
    "model.regularisation.instance_noise_updates=5",
    "model.regularisation.r1_schedule.warmup=5",
    "model.regularisation.r2=0.1",
    "model.regularisation.r2_schedule.warmup=5",
    "model.regularisation.r1_r2_every_n_updates=2",
    "model.regularisation.gradient_penalty_schedule.kind=linear",
    "model.regularisation.gradient_penalty_schedule.updates=6",
    "model.ema_schedule.warmup=5",
    "model.generator_steps=2",
    "model.accumulate_gradients=2",
    *(
        f"model.{player}_optimizer.{setting}"
        for player in ("discriminator", "generator")
        for setting in (
            "name=adamw",
            "weight_decay=0.01",
            "clip_norm=0.1",
            "schedule={kind: cosine, warmup: 2, updates: 5, final: 0.1}",
            "betas_schedule={kind: linear, updates: 6, final: [0.0, 0.99]}",
        )
    ),
    "network.spectral_norm=true",
    "network.dropout=0.1",
)
WITHOUT_MINIBATCH_DISCRIMINATION = ("cogan", "pix2pix", "cyclegan", "projected")
"""Variants whose discriminators do not support minibatch discrimination."""


@pytest.mark.parametrize("model", ALL_GANS)
def test_every_variant_resumes_with_all_options(model: str, tmp_path: Path) -> None:
    minibatch = [] if model in WITHOUT_MINIBATCH_DISCRIMINATION else ["network.minibatch_kernels=3"]
    words = list(ALL_OPTIONS)
    if model == "pix2pix":  # compares pixels, and has batch norm, which penalties exclude
        words = [*(word for word in words if "noise" not in word), "network.norm=instance"]
    if model == "projected":  # second derivatives of its pretrained network take long
        words = [word for word in words if "regularisation" not in word]
    if model == "cyclegan":  # compares pixels, and has two discriminators, which penalties exclude
        left_out = ("noise", "regularisation", "dropout", "accumulate")
        words = [word for word in words if not any(name in word for name in left_out)]
    assert_resumes(model, (4, 6), tmp_path, *words, *minibatch)


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_every_optimizer_resumes_and_unrolls(name: str, tmp_path: Path) -> None:
    players = [f"model.{player}_optimizer.name={name}" for player in ("discriminator", "generator")]
    assert_resumes("unrolled", (4, 6), tmp_path, *players, "network.packing=2")


def assert_resumes(model: str, goals: Sequence[int], tmp_path: Path, *options: str) -> None:
    """Check that a run of one goal after the other equals a run to the last one."""
    whole = train_new(small(model, goals[-1], *options), tmp_path / "whole")
    rest = train_new(small(model, goals[0], *options), tmp_path / "part")
    for goal in goals[1:]:
        rest = train(small(model, goal, *options), "test", resume=rest.run_directory)
        assert rest.updates == goal
    files = [list_checkpoints(outcome.run_directory.checkpoints)[-1] for outcome in (whole, rest)]
    first, second = (torch.load(str(file), weights_only=True) for file in files)
    assert first["progress"] == second["progress"]
    assert_equal(first["state_dict"], second["state_dict"])
    assert_equal(first["optimizer_states"], second["optimizer_states"])
    assert losses(whole.run_directory.path) == losses(rest.run_directory.path)
    # the correlations are over all evaluations, and each resumed part ends with one more
    measures = [
        {
            name: value
            for name, value in outcome.measures.items()
            if name not in ("critic/rank_correlation", "critic/descent_correlation")
        }
        for outcome in (whole, rest)
    ]
    assert measures[0] == pytest.approx(measures[1], nan_ok=True)


def assert_equal(first: object, second: object) -> None:
    if isinstance(first, dict):
        assert isinstance(second, dict)
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert isinstance(second, list | tuple)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    elif isinstance(first, torch.Tensor):
        assert isinstance(second, torch.Tensor)
        assert torch.equal(first, second)
    else:
        assert first == second or (
            first != first and second != second
        )  # NaN, for example the KL divergence of no samples


def test_evaluation_and_pictures_do_not_affect_training(tmp_path: Path) -> None:
    run = small("infogan", 8)
    often = small("infogan", 8)
    often.evaluation.every_n_updates = often.pictures.every_n_updates = 1
    outcomes = [
        train_new(run, tmp_path / "rarely"),
        train_new(often, tmp_path / "often"),
    ]
    models = [load_model(outcome.run_directory)[0].state_dict() for outcome in outcomes]
    assert_equal(*models)


def test_resuming_a_finished_run_names_the_key_to_change(tmp_path: Path) -> None:
    outcome = train_new(small("gan", 2), tmp_path / "run")
    with pytest.raises(
        UserError, match=r"all its 2 updates; to continue it, give a larger trainer"
    ):
        train(small("gan", 2), "test", resume=outcome.run_directory)


def test_only_the_latest_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    outcome = train_new(small("gan", 10), tmp_path / "run")
    names = sorted(path.name for path in outcome.run_directory.checkpoints.iterdir())
    assert names == ["best.ckpt", "update_0000009.ckpt", "update_0000010.ckpt"]


def test_find_a_run_by_directory_and_by_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        outcome = train(small("gan", 1), "my_ring")
    assert RunDirectory.find("my_ring").path.resolve() == outcome.run_directory.path.resolve()
    assert RunDirectory.find(str(outcome.run_directory.path)).path == outcome.run_directory.path
    with pytest.raises(UserError, match="runs exist of my_ring"):
        RunDirectory.find("my_rin")
