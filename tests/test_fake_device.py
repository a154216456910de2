"""No step waits for its device, and nothing on it is float64, shown on a device without values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import EXPERIMENTS, NARROW_NETWORKS
from factories import ALL_GANS, make_config, make_gan
from fake_device import DEVICE, CopiesFromHost, Float64Error, WaitError, fake_trainer, strict
from fake_device import fake_device as fake_device
from pytorch_lightning import Callback
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.data import LoaderConfig
from gan_lightning.gans import GAN, differentiable_optim
from gan_lightning.gans.monitoring import Monitor
from gan_lightning.gans.update_rules import UPDATE_RULES
from gan_lightning.networks import NETWORKS
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.testing.synthetic import SyntheticData
from gan_lightning.training.build import build
from gan_lightning.training.defaults import default_callbacks

Steps = Callable[[], list[int]]

WAITING: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda data: data.sum().item(),
    "float": lambda data: float(data.sum()),
    "bool": lambda data: bool(data.any()),
    "tolist": Tensor.tolist,
    "cpu": Tensor.cpu,
    "to": lambda data: torch.ones(2).to(data.device),
    "tensor": lambda data: torch.tensor([1.0], device=data.device),
    "copy": lambda data: data.copy_(torch.ones(4)),
    "nonzero": Tensor.nonzero,
    "where": lambda data: torch.where(data > 0),
    "mask": lambda data: data[data > 0],
    "set by a mask": lambda data: data.index_put_((data > 0,), torch.ones(4, device=data.device)),
    "repeats": lambda data: data.repeat_interleave(data.long()),
    "unique": Tensor.unique,
    "equal": lambda data: torch.equal(data, data + 1),
    "eigh": lambda data: torch.linalg.eigh(data[:, None] * data),
}
FREE: dict[str, Callable[[Tensor], Any]] = {
    "arithmetic": lambda data: (data + 1).mean(),
    "rows": lambda data: data[torch.arange(2, device=data.device)],
    "copy": lambda data: torch.ones(2).to(data.device, non_blocking=True),
    "fill by a mask": lambda data: data.masked_fill(data > 0, 1.0),
    "choice": lambda data: torch.where(data > 0, data, -data),
    "number of the host": lambda data: torch.ones(3).sum().item(),
    "float64 of the host": lambda data: torch.ones(3).double(),
}


@pytest.mark.parametrize("name", WAITING)
def test_the_device_finds_what_waits(name: str) -> None:
    data = torch.ones(4, device=DEVICE)
    with pytest.raises(WaitError), strict():
        WAITING[name](data)


@pytest.mark.parametrize("name", FREE)
def test_the_device_allows_what_does_not_wait(name: str) -> None:
    data = torch.ones(4, device=DEVICE)
    with strict():
        FREE[name](data)


def test_the_device_finds_copies_from_the_host() -> None:
    data = torch.ones(4, device=DEVICE)
    with CopiesFromHost():
        data.add_(torch.tensor(1.0)).mul_(2)
        with pytest.raises(WaitError):
            data.copy_(torch.ones(4), non_blocking=True)


def test_the_device_finds_float64() -> None:
    data = torch.ones(4, device=DEVICE)
    for make in (Tensor.double, lambda data: torch.zeros_like(data, dtype=torch.float64)):
        with pytest.raises(Float64Error), strict():
            make(data)


def train(config: RunConfig, *callbacks: Callback, rounds: int = 1, **trainer: Any) -> BaseModule:
    """Train two updates of eight noise samples on the fake device."""
    model, data = build(config)
    noise = SyntheticData(data.model_spec)
    steps = getattr(config.model, "minibatches_per_round", 1)
    noise.loader_config = LoaderConfig(2, steps, rounds)
    fake_trainer(callbacks=[*callbacks], **trainer).fit(model, datamodule=noise)
    assert model.device == DEVICE
    return model


@pytest.mark.parametrize("model", ALL_GANS)
def test_no_step_of_a_gan_waits(model: str, fake_device: Steps) -> None:
    train(make_config(model))
    assert fake_device() == [1, 2]


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_no_step_of_an_update_rule_waits(rule: str, fake_device: Steps) -> None:
    options = ["model.update_rule.lookahead_updates=1"] if rule == "lookahead" else []
    options += ["model.update_rule.align=true"] if rule == "symplectic" else []
    train(make_config("gan", f"model.update_rule.name={rule}", *options))
    assert fake_device() == [1, 2]


OPTIONS = {
    "average": ("model.ema_decay=0.9", "model.ema_schedule={warmup: 4}"),
    "optimizers": (
        "model.discriminator_optimizer={name: rmsprop, clip_norm: 1}",
        "model.generator_optimizer={name: sgd, schedule: {kind: cosine, updates: 9}}",
    ),
    "adamw": ("model.generator_optimizer={name: adamw, clip_norm: 1, weight_decay: 0.1}",),
    "betas": (
        "model.generator_optimizer.betas_schedule={kind: linear, updates: 9, final: [0.1, 0.9]}",
    ),
    "parts": ("model.accumulate_gradients=2",),
    "many steps": ("model.discriminator_steps=3", "model.generator_steps=2"),
    "packs": ("network.packing=2",),
    "layers": ("network.dropout=0.5", "network.batch_norm=true"),
    "penalties": ("model.regularisation={r1: 1, r2: 1, gradient_penalty: 1, instance_noise: 0.1}",),
    "lecam": ("model.regularisation.lecam.weight=1",),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_no_step_with_an_option_waits(name: str, fake_device: Steps) -> None:
    train(make_config("gan", *OPTIONS[name]))
    assert fake_device() == [1, 2]


IMAGES = {
    "ada": ("model.regularisation.ada.enabled=true",),
    "augmentation": ("model.regularisation.augmentation=[colour, translation, cutout]",),
    "consistency": (
        "model.regularisation.consistency={real: 1, generated: 1, transforms: [rotation, cutout]}",
    ),
    "finite differences": ("model.regularisation={r1: 1, r1_r2_gradients: finite_differences}",),
    "around real": (
        "model.regularisation={gradient_penalty: 1, gradient_penalty_points: around_real}",
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_no_step_on_images_waits(name: str, fake_device: Steps) -> None:
    train(make_config("gan", *IMAGES[name], **DIGITS))
    assert fake_device() == [1, 2]


DIGITS: dict[str, Any] = {
    "network": {"name": "dcgan", "width": 4, "discriminator_norm": "none"},
    "data": {"name": "mnist", "batch_size": 8},
}
BUILT_IN = {
    *("mnist", "mnist_domains", "mnist_pairs", "stacked_mnist"),
    *("ring", "grid", "swissroll", "dirac"),
}
"""Datasets that need no files of the user."""


def representatives() -> list[str]:
    """Choose an experiment of each network family and classifier, without and with labels."""
    chosen: dict[tuple[object, ...], str] = {}
    for name in EXPERIMENTS:
        source = read_yaml(experiment_path(name))
        data, network = source["data"], source.get("network", source["model"])["name"]
        if data["name"] in BUILT_IN:
            chosen.setdefault((network, "labelled" in data), name)
    return sorted(chosen.values())


@pytest.mark.parametrize("name", representatives())
def test_no_step_of_an_experiment_waits(name: str, fake_device: Steps) -> None:
    overrides = [*SHORT, *NARROW_NETWORKS.get(network_of(name), ())]
    train(load_config(read_yaml(experiment_path(name)), overrides))
    assert fake_device() == [1, 2]


SHORT = ("data.batch_size=8", "log.every_n_updates=1000", "trainer.precision=32-true")


def network_of(experiment: str) -> str:
    """Return the name of an experiment's networks."""
    name: str = read_yaml(experiment_path(experiment)).get("network", {}).get("name", "")
    return name


def test_every_network_is_in_an_experiment_that_is_tried() -> None:
    tried = {network_of(name) for name in representatives()}
    assert set(NETWORKS) - tried <= {"mlp", "cyclegan", "resnet", "resnext"}  # in other tests here


def test_bias_corrections_of_a_gpu_are_those_of_the_host() -> None:
    """Where the number of steps is on a device, it stays there."""
    for decay in (0.0, 0.5, 0.9, 0.999):
        for step in (1.0, 7.0, 10_000.0):
            on_device = differentiable_optim._bias_correction(decay, torch.tensor(step))
            assert float(on_device) == pytest.approx(1 - decay**step, rel=1e-6)


def test_crops_and_mirrors_do_not_wait(fake_device: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SyntheticData, "random_mirror", True)
    monkeypatch.setattr(SyntheticData, "crop_margin", 2)
    train(make_config("gan", **DIGITS))
    assert fake_device() == [1, 2]


def test_labels_of_unequal_frequency_do_not_wait() -> None:
    gan = make_gan("cgan")
    classes = gan.data.classes or 0
    gan.data = replace(gan.data, class_shares=tuple([1 / classes] * classes))
    gan.to(DEVICE)
    with strict():
        gan.prior(8)
        with CopiesFromHost():
            labels = gan.prior(8).labels
    assert labels is not None
    assert labels.device == DEVICE


@pytest.mark.parametrize("name", ["resnet", "resnext"])
def test_no_step_of_large_networks_waits(name: str, fake_device: Steps) -> None:
    network = {"name": name, "width": 2} if name == "resnet" else SMALL_RESNEXT
    train(make_config("gan", network=network, data={**DIGITS["data"], "size": 32}))
    assert fake_device() == [1, 2]


SMALL_RESNEXT = {"name": "resnext", "widths": [8], "blocks": 1, "group_width": 4}


@pytest.mark.parametrize("model", ["gan", "cgan"])
def test_no_step_on_minibatches_of_any_loader_waits(
    model: str, fake_device: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first minibatch, whose values are checked, and before the log of an epoch."""
    monkeypatch.setattr(GAN, "on_train_epoch_end", lambda gan: None)
    gan = make_gan(model, "model.discriminator_steps=2")
    gan.monitor = Monitor(samples=0, images=0)
    gan.reader._range_checked, gan.reader._largest = True, 8
    dataset = TensorDataset(torch.randn(32, 2), torch.arange(32) % 8)
    fake_trainer().fit(gan, DataLoader(dataset, batch_size=8))
    assert fake_device() == [0, 1, 1, 2]


class Hooks(Callback):
    """Calls the hooks of callbacks at the start of a training and, strictly, around each batch."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = callbacks

    def on_train_start(self, *args: Any) -> None:
        for callback in self.callbacks:
            callback.on_train_start(*args)

    def on_train_batch_start(self, *args: Any) -> None:
        with strict():
            for callback in self.callbacks:
                callback.on_train_batch_start(*args)

    def on_train_batch_end(self, *args: Any) -> None:
        with strict():
            for callback in self.callbacks:
                callback.on_train_batch_end(*args)


@pytest.mark.parametrize("model", ["gan", "infogan"])
def test_no_callback_of_a_run_waits(model: str, fake_device: Steps, tmp_path: Path) -> None:
    """Between the updates at which something is logged, measured, drawn or saved."""
    config = make_config(model, "trainer.max_updates=100")
    callbacks = default_callbacks(config, RunDirectory(tmp_path), *build(config))
    train(config, Hooks(callbacks))
    assert fake_device() == [1, 2]
