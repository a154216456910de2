"""Saved models: a generator with what it needs to know, which loads as a run does."""

from __future__ import annotations

import shutil
from pathlib import Path

import factories
import hub_stub
import pytest
import torch
from bad_inputs import assert_mistake
from conftest import TinyRun, run_cli
from process_pool import ForkedProcess
from safetensors.torch import load_file
from torch import nn

import gan_lightning
from gan_lightning.core.packed_weights import PRECISIONS, pack, unpack
from gan_lightning.distributed.sharding import SINGLE_PROCESS
from gan_lightning.errors import MissingDataError, UserError
from gan_lightning.evaluation.registry import gan_evaluators
from gan_lightning.export.remeasure import read_intervals
from gan_lightning.gans import GAN
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.build import build
from gan_lightning.utils.optional import missing_modules


@pytest.fixture
def saved(infogan_run: TinyRun, tmp_path: Path) -> Path:
    return gan_lightning.save_pretrained(infogan_run.folder, tmp_path / "saved")


@pytest.mark.parametrize("model", factories.ALL_GANS)
def test_every_gan_is_saved_and_loaded_without_a_run(model: str, tmp_path: Path) -> None:
    gan = factories.make_gan(model, "model.ema_decay=0.5")
    gan.updates = 7
    if gan.data.source_shape is not None:
        gan.examples = torch.rand(8, *gan.data.source_shape) * 2 - 1
    loaded = gan_lightning.from_pretrained(gan_lightning.save_pretrained(gan, tmp_path / "saved"))
    assert isinstance(loaded.model, GAN)
    assert loaded.model.updates == 7
    condition = None if gan.examples is None else gan.prior(4, torch.Generator().manual_seed(1))
    ours, theirs = (each.sample(4, condition, seed=1).data for each in (gan, loaded.model))
    assert ours.equal(theirs)


def test_a_saved_model_is_used_as_a_run_is(saved: Path, infogan_run: TinyRun) -> None:
    ours, theirs = (gan_lightning.sample(run, 8).images for run in (saved, infogan_run.folder))
    assert (ours == theirs).all()  # type: ignore[union-attr]
    again = gan_lightning.save_pretrained(saved, saved.parent / "again")
    assert (again / "config.yaml").read_bytes() == (saved / "config.yaml").read_bytes()
    tensors = [load_file(folder / "generator.safetensors") for folder in (saved, again)]
    assert all(tensors[0][name].equal(tensors[1][name]) for name in tensors[0])
    traversal = saved.parent / "t.png"
    assert run_cli("traverse", str(saved), "--rows", "2", "--output", str(traversal)).code == 0
    outcome = run_cli("evaluate", str(saved), "--count", "20")
    assert "fd_digits" in outcome.out
    assert "slant_correlation" in outcome.out
    assert "code/accuracy" not in outcome.out  # of Q, which is a part of the discriminator


def test_training_starts_from_a_saved_model(saved: Path, tmp_path: Path) -> None:
    words = ("--start-from", str(saved), "--output", str(tmp_path / "new"), "log.wandb=disabled")
    tiny = ("trainer.max_updates=1", "evaluation.every_n_updates=0", "evaluation.samples=20")
    config = str(saved / "config.yaml")
    outcome = run_cli("train", config, *words, *tiny, "pictures.every_n_updates=0")
    assert outcome.code == 0, outcome.err


def test_its_data_say_what_is_missing(saved: Path) -> None:
    model, data, _ = gan_lightning.load(saved)
    assert data.spec.shape == (1, 28, 28)
    assert len(data.class_names) == 10
    for use in (data.training_data, data.test_data):
        with pytest.raises(MissingDataError, match="is a saved model, which has no data"):
            use()
    assert isinstance(model, GAN)
    assert not model.has_discriminator
    digits = build(factories.make_config("gan", data={"name": "mnist"}))[1]
    kinds = {type(each).__name__ for each in gan_evaluators(model, digits, SINGLE_PROCESS)}
    assert kinds == {"CodeEvaluator", "DuplicateEvaluator"}


def test_a_damaged_or_foreign_generator_is_one_line(saved: Path, ring_run: TinyRun) -> None:
    file = saved / "generator.safetensors"
    shutil.copyfile(ring_run.folder / file.name, file)
    assert_mistake(run_cli("sample", str(saved), "--output", "a.png"), "does not fit", "copy both")
    file.write_bytes(file.read_bytes()[:100])
    assert_mistake(run_cli("sample", str(saved), "--output", "a.png"), "is damaged", "copy it")
    file.unlink()
    with pytest.raises(UserError, match="has no checkpoint yet"):
        gan_lightning.load(saved)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounded_weights_are_near_the_weights(precision: str) -> None:
    network = nn.Sequential(nn.Linear(5, 40), nn.BatchNorm1d(40), nn.Linear(40, 3))
    nn.init.zeros_(network[2].weight[1])  # type: ignore[arg-type]
    weights = network.state_dict()
    restored = unpack(pack(weights, precision))
    assert restored.keys() == weights.keys()
    for name, value in weights.items():
        step = {"float32": 0.0, "float16": 2**-11, "int8": 0.5 / 127}[precision]
        is_matrix = value.ndim > 1
        bound = step * value.abs().amax(-1, keepdim=True) if is_matrix else torch.zeros(())
        assert restored[name].dtype == value.dtype
        assert ((restored[name] - value).abs() <= bound * (1 + 1e-6)).all()


def test_fewer_bits_make_a_smaller_file_with_nearly_the_same_samples(
    infogan_run: TinyRun, tmp_path: Path
) -> None:
    sizes, images = [], []
    for precision in PRECISIONS:
        folder = tmp_path / precision
        words = ("--format", "safetensors", "--precision", precision, "--output", str(folder))
        assert run_cli("export", str(infogan_run.folder), *words).code == 0
        sizes.append((folder / "generator.safetensors").stat().st_size)
        images.append(gan_lightning.load(folder).model.sample(8, seed=0).data)  # type: ignore[operator]
    assert sizes[0] > sizes[1] > sizes[2]
    assert 0 < (images[1] - images[0]).abs().max() < 0.01
    assert (images[2] - images[0]).square().mean().sqrt() < 0.02
    assert "are int8, which changes samples by" in (tmp_path / "int8" / "README.md").read_text()
    refused = run_cli("export", str(infogan_run.folder), "--precision", "int8")
    assert_mistake(refused, "--precision is int8, which is for --format safetensors")


@pytest.mark.skipif(bool(missing_modules("hub")), reason="needs the extra hub")
def test_a_model_goes_to_the_hub_and_back(saved: Path, tmp_path: Path) -> None:
    forked = ForkedProcess.start(hub_stub.push_and_load, str(saved), cwd=tmp_path)
    assert forked.wait() == 0, forked.err


def test_the_written_weights_are_evaluated(ring_run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "measured"
    words = ("--format", "safetensors", "--precision", "int8", "--evaluate", "3")
    assert run_cli("export", str(ring_run.folder), *words, "--output", str(folder)).code == 0
    stored, intervals = read_outcome(folder).measures, read_intervals(folder)
    assert stored is not None
    assert stored.keys() == intervals.keys()
    again = gan_lightning.evaluate(folder)
    assert again == pytest.approx(stored)
    low, high = intervals["wasserstein/exact"]
    assert low < high
    card = (folder / "README.md").read_text()
    assert f"| `wasserstein/exact` | {stored['wasserstein/exact']:.4g} | {low:.4g} to" in card
    refused = run_cli("export", str(ring_run.folder), "--evaluate", "3")
    assert_mistake(refused, "--evaluate is for --format safetensors")


@pytest.mark.parametrize("command", ["diagnose", "timelapse"])
def test_commands_about_the_training_refuse_models_without_it(
    command: str, saved: Path, empty_folder: None
) -> None:
    assert_mistake(run_cli(command, str(saved)), "is a saved model, without curves")
    line = "there is no run of unrolled_ring here, and the trained model in the package has no"
    assert_mistake(run_cli(command, "unrolled_ring"), line, "`gan-lightning train unrolled_ring`")
