"""The files that `train` writes, after a finished run and after a stopped one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import EXPERIMENTS, TinyRun, run_cli, tiny_overrides
from factories import quiet_trainer
from launchers import updates_of
from PIL import Image
from process_pool import TIMEOUT, ForkedProcess
from run_files import final_measures, load_last_checkpoint, read_metrics_csv
from safetensors.numpy import load_file

from gan_lightning.classifiers import CLASSIFIERS
from gan_lightning.cli.main import main
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain
from gan_lightning.config.titles import follow_data
from gan_lightning.dashboard.panels import panel_of
from gan_lightning.results.detail import is_detail
from gan_lightning.training.build import build

pytestmark = pytest.mark.usefixtures("empty_folder")


def kind(experiment: str) -> tuple[str, ...]:
    """Return what decides how an experiment trains: the names in its sections."""
    source = read_yaml(experiment_path(experiment))
    model = source["model"]
    names = [source.get(section, {}).get("name", "") for section in ("model", "network", "data")]
    rule = model.get("update_rule", {}).get("name", "")
    return (*names, model.get("objective", ""), rule)


FIRST_OF_THEIR_KIND = list({kind(name): name for name in reversed(EXPERIMENTS)}.values())


@pytest.mark.parametrize("experiment", sorted({*EXPERIMENTS} - {*FIRST_OF_THEIR_KIND}))
def test_every_experiment_makes_two_updates(experiment: str) -> None:
    """Those that another one of their kind stands for in `test_an_experiment_of_each_kind`."""
    source, words = read_yaml(experiment_path(experiment)), tiny_overrides(experiment)
    config, _ = follow_data(load_config(source, words), source, words, experiment)
    model, data = build(config)
    quiet_trainer(max_steps=2).fit(model, datamodule=data)
    assert model.updates == 2
    assert all(map(isfinite, model.losses.values()))
    assert model.losses


@pytest.mark.parametrize("experiment", FIRST_OF_THEIR_KIND)
def test_an_experiment_of_each_kind(experiment: str, trained: Callable[[str], TinyRun]) -> None:
    run = trained(experiment)
    folder = run.folder
    assert run.outcome.code == 0, run.outcome.err
    config = load_config(read_yaml(folder / "config.yaml"))
    source, words = read_yaml(experiment_path(experiment)), tiny_overrides(experiment)
    expected = load_config(source, [*words, "log.wandb=disabled"])
    expected, _ = follow_data(expected, source, words, experiment)  # digits stand in for clothes
    assert as_plain(config) == as_plain(expected)

    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert {"command", "python", "git_revision"} <= environment.keys()

    measures = final_measures(folder)
    assert measures
    *_, last = read_metrics_csv(folder)
    assert last["updates"] == "4"
    for name, value in measures.items():
        assert float(last[name]) == pytest.approx(value, nan_ok=True)
        assert (f"  {name} " in run.outcome.out) == (not is_detail(name))
    assert any(name.startswith("loss/") for name in last)
    assert not [name for name in last if name != "updates" and panel_of(name) is None]
    assert int(last["images_seen"]) == 4 * 8 * getattr(config.model, "minibatches_per_round", 1)

    kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert [name for name in kept if name != "best.ckpt"] == [
        "update_0000002.ckpt",
        "update_0000004.ckpt",
    ]
    assert load_last_checkpoint(folder)["progress"]["updates"] == 4
    assert "precision" in (folder / "log.txt").read_text()
    assert not list(folder.rglob("*.partial"))

    is_classifier = config.model.name in CLASSIFIERS
    weights = folder / f"{'classifier' if is_classifier else 'generator'}.safetensors"
    assert {path.name for path in folder.glob("*.safetensors")} == {
        weights.name,
        "data.safetensors",
    }
    assert all(np.isfinite(array).all() for array in load_file(weights).values())
    pictures = sorted((folder / "samples").glob("*.png"))
    assert bool(pictures) == (config.model.name not in ("digit_classifier", "attribute_classifier"))
    assert {picture.stem[-7:] for picture in pictures} <= {"0000002", "0000004"}
    for picture in pictures:
        with Image.open(picture) as image:
            image.verify()
        assert panel_of(picture.stem[:-8]) is not None
    assert f"  run    {folder}\n" in run.outcome.out
    assert "  W&B    disabled\n" in run.outcome.out
    if config.claims:  # the budget is another
        assert "  claims no verdict, another experiment: trainer.max_updates" in run.outcome.out
    assert "   claim " not in run.outcome.out


def test_experiment_name_means_the_latest_run() -> None:
    """Two runs have separate directories, and the experiment's name means the latest."""
    words = ["train", "gan_ring", *tiny_overrides("gan_ring"), "log.wandb=disabled"]
    folders = []
    for seed in ("1", "2"):
        outcome = run_cli(*words, "--seed", seed)
        assert outcome.code == 0, outcome.err
        line = next(line for line in outcome.out.splitlines() if line.startswith("  run "))
        folders.append(Path(line.split()[-1]))
    assert [folder.parent for folder in folders] == [Path("runs/gan_ring")] * 2
    assert sorted(Path("runs/gan_ring").iterdir()) == sorted(folders)
    outcome = run_cli("sample", "gan_ring", "--count", "3", "--output", "by_name.npz")
    assert outcome.code == 0, outcome.err
    run_cli("sample", str(folders[-1]), "--count", "3", "--output", "by_folder.npz")
    assert Path("by_name.npz").read_bytes() == Path("by_folder.npz").read_bytes()


def test_resume_continues(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    more = ["trainer.max_updates=8", "evaluation.samples=50"]
    outcome = run_cli("train", "gan_ring", "--resume", "run", *more)
    assert outcome.code == 0, outcome.err
    assert load_last_checkpoint(Path("run"))["progress"]["updates"] == 8
    assert [row["updates"] for row in read_metrics_csv(Path("run"))] == ["2", "4", "6", "8"]
    assert load_config(read_yaml(Path("run/config.yaml"))).trainer.max_updates == 8
    assert "  8 updates; " in outcome.out


def test_interrupted_run_saves_an_intact_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = [
        "trainer.max_updates=1000000",
        "checkpoints.every_n_updates=100",
        "log.every_n_updates=100",
        "pictures.every_n_updates=0",
    ]
    overrides = [*tiny_overrides("gan_ring"), *settings, "log.wandb=disabled"]
    words = ["train", "gan_ring", *overrides, "--output", str(folder)]
    forked = ForkedProcess.start(main, words)
    number = forked.process.pid
    assert number is not None
    try:
        deadline = time.monotonic() + TIMEOUT
        while not list(folder.glob("checkpoints/update_*.ckpt")):
            assert forked.process.is_alive(), forked.err
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(number, signal.SIGSTOP)
        logged = updates_of(folder)
        os.kill(number, signal.SIGINT)
        os.kill(number, signal.SIGCONT)
        assert forked.wait() == 130, forked.err
    finally:
        forked.process.kill()
    out = forked.out
    assert "Traceback" not in forked.err
    updates = load_last_checkpoint(folder)["progress"]["updates"]
    assert 100 <= logged <= updates <= logged + 100 + 20  # logging interval, rounds per batch
    assert f"stopped at update {updates:,}" in out
    assert f"`gan-lightning train gan_ring --resume {folder}`" in out
    assert not list(folder.rglob("*.partial"))
    assert (folder / "generator.safetensors").is_file()

    goal = f"trainer.max_updates={updates + 2}"
    outcome = run_cli("train", "gan_ring", "--resume", str(folder), goal)
    assert outcome.code == 0, outcome.err
    assert load_last_checkpoint(folder)["progress"]["updates"] == updates + 2


def test_interrupt_before_the_first_update_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gan_lightning.training.train

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gan_lightning.training.train, "build_trainer", interrupted)
    words = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "--output", str(tmp_path / "run")]
    outcome = run_cli("train", "gan_ring", *words)
    assert outcome.code == 130
    assert not (tmp_path / "run").exists()


def test_stopped_run_saves_and_is_not_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_lightning.callbacks import Evaluation
    from gan_lightning.callbacks.signals import StopOnSignal

    def stop_at_once(self: StopOnSignal, trainer: Any, *_: Any) -> None:
        self.received, trainer.should_stop = signal.SIGINT, True

    def fail(*_: Any) -> None:
        raise AssertionError("a stopped run was evaluated")

    monkeypatch.setattr(StopOnSignal, "on_train_batch_end", stop_at_once)
    monkeypatch.setattr(Evaluation, "on_interval", fail)
    words = [*tiny_overrides("gan_ring"), "trainer.rounds_per_batch=1", "log.wandb=disabled"]
    outcome = run_cli("train", "gan_ring", *words, "--output", str(tmp_path / "run"))
    assert outcome.code == 130, outcome.err
    names = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert names == ["update_0000001.ckpt"]
    assert "claims not evaluated before the end of the run" in outcome.out
    outcome_file = tmp_path / "run" / "outcome.json"
    assert json.loads(outcome_file.read_text())["measures"] is None


def test_resume_rejects_changed_values_without_allow_changes(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    words = ["train", "gan_ring", "--resume", "run", "trainer.max_updates=8", "seed=5"]
    words += ["model.generator_optimizer.learning_rate=0.1"]
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    rejected = run_cli(*words)
    assert rejected.code == 2
    assert "seed 0 -> 5, model.generator_optimizer.learning_rate 0.001 -> 0.1" in rejected.err
    assert "--allow-changes" in rejected.err
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert run_cli(*words, "--allow-changes").code == 0
