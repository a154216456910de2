"""A resumed run is the run."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import pytest
import torch
from worlds import ALL_GANS, config

from gan_lightning.callbacks import AtomicCheckpointIO, latest_checkpoint
from gan_lightning.errors import UserError
from gan_lightning.restore import load_learner
from gan_lightning.run import Outcome, train
from gan_lightning.run_folder import RunFolder
from gan_lightning.schema import RunConfig


def small(model: str, updates: int, *options: str) -> RunConfig:
    return config(
        model,
        f"trainer.max_steps={updates}",
        "model.discriminator_steps=2",
        "model.ema_decay=0.9",
        "log.wandb=disabled",
        "log.every=2",
        "checkpoints.every=3",
        "evaluation.samples=20",
        "evaluation.every=4",
        "pictures.every=0",
        *options,
    )


def fresh(run: RunConfig, folder: Path) -> Outcome:
    return train(run, "test", folder)


def losses(folder: Path) -> list[tuple[str, ...]]:
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith(("loss", "updates", "images"))]
    return [tuple(row[name] for name in names) for row in rows if row["images_seen"]]


@pytest.mark.parametrize("model", ALL_GANS)
@pytest.mark.parametrize("stop", [1, 4, 7])
def test_resumed_equals_uninterrupted(model: str, stop: int, tmp_path: Path) -> None:
    assert_resumes(model, stop, tmp_path)


REGULARISED = (
    "model.regularisation.r1=0.1",
    "model.regularisation.gradient_penalty=1",
    "model.regularisation.instance_noise=0.2",
    "model.regularisation.instance_noise_updates=8",
    "network.spectral_norm=true",
    "network.minibatch_kernels=3",
    "network.dropout=0.1",
)


@pytest.mark.parametrize("model", ALL_GANS)
def test_every_variant_resumes_with_all_that_regularises(model: str, tmp_path: Path) -> None:
    assert_resumes(model, 4, tmp_path, *REGULARISED)


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_every_optimizer_resumes_and_looks_ahead(name: str, tmp_path: Path) -> None:
    players = [f"model.{player}_optimizer.name={name}" for player in ("discriminator", "generator")]
    assert_resumes("unrolled", 4, tmp_path, *players, "network.packing=2")


def assert_resumes(model: str, stop: int, tmp_path: Path, *options: str) -> None:
    whole = fresh(small(model, 10, *options), tmp_path / "whole")
    part = fresh(small(model, stop, *options), tmp_path / "part")
    assert part.updates == stop
    rest = train(small(model, 10, *options), "test", resume=part.folder)
    assert rest.updates == 10
    files = [latest_checkpoint(outcome.folder.checkpoints) for outcome in (whole, rest)]
    first, second = (torch.load(str(file), weights_only=True) for file in files)
    assert first["progress"] == second["progress"]
    assert_equal(first["state_dict"], second["state_dict"])
    assert_equal(first["optimizer_states"], second["optimizer_states"])
    assert losses(whole.folder.path) == losses(rest.folder.path)
    assert whole.measures == pytest.approx(rest.measures, nan_ok=True)


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
        assert first == second


def test_evaluation_and_pictures_do_not_touch_training(tmp_path: Path) -> None:
    run = small("infogan", 8)
    often = small("infogan", 8)
    often.evaluation.every = often.pictures.every = 1
    outcomes = [
        fresh(run, tmp_path / "seldom"),
        fresh(often, tmp_path / "often"),
    ]
    models = [load_learner(outcome.folder)[0].state_dict() for outcome in outcomes]
    assert_equal(*models)


def test_a_finished_run_says_what_to_change(tmp_path: Path) -> None:
    outcome = fresh(small("gan", 2), tmp_path / "run")
    with pytest.raises(UserError, match=r"all its 2 updates; to go on, give a larger trainer"):
        train(small("gan", 2), "test", resume=outcome.folder)


def test_the_latest_checkpoints_are_kept(tmp_path: Path) -> None:
    outcome = fresh(small("gan", 10), tmp_path / "run")
    names = sorted(path.name for path in outcome.folder.checkpoints.iterdir())
    assert names == ["update_0000009.ckpt", "update_0000010.ckpt"]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    outcome = fresh(small("gan", 3), tmp_path / "run")
    path = latest_checkpoint(outcome.folder.checkpoints)
    assert path is not None
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"update_0000003\.ckpt cannot be read"):
        load_learner(outcome.folder)


class Payload:
    """Pickled, it would write a file when loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.target, "executed")


def test_a_checkpoint_that_carries_code_is_refused(tmp_path: Path) -> None:
    outcome = fresh(small("gan", 3), tmp_path / "run")
    path, target = latest_checkpoint(outcome.folder.checkpoints), tmp_path / "target"
    assert path is not None
    torch.save({"state_dict": Payload(target)}, path, pickle_module=pickle)
    with pytest.raises(UserError, match="cannot be read"):
        load_learner(outcome.folder)
    with pytest.raises(UserError, match="cannot be read"):
        train(small("gan", 5), "test", resume=outcome.folder)
    assert not target.exists()


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "update_0000001.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": 1}, target)
    with pytest.raises(Exception, match=r"pickle|local object"):
        AtomicCheckpointIO().save_checkpoint({"value": lambda: None}, target)
    assert torch.load(target, weights_only=True) == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_run_is_found_by_folder_and_by_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        outcome = train(small("gan", 1), "my_ring")
    assert RunFolder.find("my_ring").path.resolve() == outcome.folder.path.resolve()
    assert RunFolder.find(str(outcome.folder.path)).path == outcome.folder.path
    with pytest.raises(UserError, match="runs exist of my_ring"):
        RunFolder.find("my_rin")
