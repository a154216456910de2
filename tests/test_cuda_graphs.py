"""Rounds as CUDA graphs give the weights of eager rounds, shown by a stand-in on a processor."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from factories import ALL_GANS, make_config, make_gan, quiet_trainer, stand_in_for_lite0
from fake_device import DEVICE
from fake_device import fake_device as fake_device
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.strategies import DDPStrategy
from recorded_graphs import RecordedGraphs
from recorded_graphs import recorded_graphs as recorded_graphs
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gan_lightning.config.schema import RunConfig
from gan_lightning.core import cuda_graphs
from gan_lightning.core.fast_paths import reason_against_direct_steps
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, graphed_rounds
from gan_lightning.gans.cyclegan import CycleGAN
from gan_lightning.gans.graphed_rounds import WARM_UP, reason_against_graphs
from gan_lightning.gans.round import train_round
from gan_lightning.gans.update_rules import UPDATE_RULES, Extragradient, Lookahead
from gan_lightning.testing.observers import SaveCheckpoint
from gan_lightning.testing.synthetic import SyntheticData
from gan_lightning.training.build import build

UPDATES = WARM_UP + 3

stand_in_for_lite0()


class Result(NamedTuple):
    """A training: all that must be equal, and how many graphs there were."""

    weights: dict[str, Tensor]
    optimizers: list[Any]
    rows: list[dict[str, Tensor]]
    global_step: int
    graphs: int
    reason: str


def train(
    model: str,
    *overrides: str,
    graphs: bool,
    updates: int = UPDATES,
    precision: str = "32-true",
    checkpoint: Path | None = None,
    sections: dict[str, Any] | None = None,
    **trainer: Any,
) -> Result:
    words = [f"trainer.max_updates={updates}", f"trainer.precision={precision}", *overrides]
    words.append(f"trainer.cuda_graphs={graphs}")
    gan, data = build_on_noise(make_config(model, *words, **(sections or {})))
    end, log = Watch(), Rows(gan)
    callbacks = [end, *trainer.pop("callbacks", [])]
    fit: Any = (made := quiet_trainer(precision=precision, callbacks=callbacks, **trainer)).fit
    fit(gan, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    states = [optimizer.state_dict() for optimizer in made.optimizers]
    rows = log.rows
    return Result(gan.state_dict(), states, rows, made.global_step, end.graphs, end.reason)


def build_on_noise(config: RunConfig) -> tuple[GAN, SyntheticData]:
    """Build a GAN, and noise in place of its data, which may take long to be read."""
    gan, data = build(config)
    assert isinstance(gan, GAN)
    noise = SyntheticData(data.model_spec)
    noise.loader_config = data.loader_config
    return gan, noise


class Rows:
    """Keeps the terms of each update as they are given to the log, without copying them."""

    def __init__(self, gan: GAN) -> None:
        self.rows: list[dict[str, Tensor]] = []
        log = gan.log_update

        def keep(images: int, terms: Any) -> None:
            self.rows.append(terms)
            log(images, terms)

        gan.log_update = keep  # type: ignore[method-assign]


class Watch(Callback):
    """Counts the graphs before they are freed."""

    graphs, reason = 0, ""

    def on_train_start(self, trainer: Trainer, gan: Any) -> None:
        self.reason = reason_against_graphs(gan)

    def on_train_batch_end(self, trainer: Trainer, gan: Any, *args: Any) -> None:
        self.graphs = 0 if gan.graphs is None else gan.graphs.count


def equal(first: Any, second: Any) -> bool:
    """Tell whether all numbers of two nests are equal, tensors in all bits."""
    pairs = zip(tree_leaves(first), tree_leaves(second), strict=True)
    return all(
        torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a == b
        for a, b in pairs
    )


def compare(model: str, *overrides: str, **settings: Any) -> Result:
    """Train with graphs and without, which must be equal; return the former."""
    eager = train(model, *overrides, graphs=False, **settings)
    graphed = train(model, *overrides, graphs=True, **settings)
    for name in ("weights", "optimizers", "rows", "global_step"):
        assert equal(getattr(eager, name), getattr(graphed, name)), name
    return graphed


def differs(model: str, *overrides: str, **settings: Any) -> bool:
    """Tell whether a training with graphs has other weights, or cannot be captured."""
    eager = train(model, *overrides, graphs=False, **settings)
    try:
        graphed = train(model, *overrides, graphs=True, **settings)
    except UserError:
        return True
    assert graphed.graphs
    return not equal(eager.weights, graphed.weights)


@pytest.mark.parametrize("model", ALL_GANS)
def test_rounds_of_every_gan_are_captured_or_there_is_a_reason(
    model: str, recorded_graphs: None
) -> None:
    result = compare(model)
    expected = {"cyclegan": "the pool of images fills up"}.get(model, "")
    assert (result.graphs == 0, expected in result.reason) == (bool(expected), True)
    assert bool(result.reason) == bool(expected)
    assert result.global_step == UPDATES


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_rounds_of_every_rule_are_captured_or_there_is_a_reason(
    rule: str, recorded_graphs: None
) -> None:
    words = ["model.update_rule.align=true"] if rule == "symplectic" else []
    result = compare("gan", f"model.update_rule.name={rule}", *words)
    reason = UPDATE_RULES[rule].reason_against_graphs
    assert (result.graphs, result.reason) == (int(not reason), reason)


DIGITS: dict[str, Any] = {
    "network": {"name": "dcgan", "width": 2, "discriminator_norm": "none", "spectral_norm": True},
    "data": {"name": "mnist", "batch_size": 4},
}
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "averages, packs and steps": (
        (
            *("model.ema_decay=0.9", "network.packing=2", "model.accumulate_gradients=2"),
            *("model.discriminator_steps=3", "model.generator_steps=2"),
            "model.generator_optimizer={name: adamw, clip_norm: 1, weight_decay: 0.1}",
        ),
        {},
    ),
    "layers": (
        (
            *("network.dropout=0.5", "network.batch_norm=true", "trainer.rounds_per_batch=3"),
            "network.minibatch_kernels=4",
            "model.discriminator_optimizer={name: rmsprop, clip_norm: 1}",
            "model.generator_optimizer={name: sgd, weight_decay: 0.1}",
        ),
        {},
    ),
    "penalties": (
        (
            "model.regularisation={r1: 1, r2: 1, gradient_penalty: 1, instance_noise: 0.1}",
            "model.regularisation.lecam.weight=1",
        ),
        {},
    ),
    "images": (
        (
            "model.regularisation={r1: 1, r1_r2_gradients: finite_differences}",
            "model.regularisation.augmentation=[colour, translation, cutout]",
            "model.regularisation.consistency={real: 1, generated: 1}",
            "model.regularisation.ada={enabled: true, interval: 4, images: 16}",
        ),
        DIGITS,
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_rounds_with_options_are_captured(name: str, recorded_graphs: None) -> None:
    words, sections = OPTIONS[name]
    result = compare("gan", *words, sections=sections)
    assert (result.graphs, result.reason) == (1, "")


def test_rounds_in_low_precision_are_captured(recorded_graphs: None) -> None:
    """Autocast keeps low-precision copies of weights, which must not outlive their graph."""
    assert compare("wgan_gp", precision="bf16-mixed").graphs == 1


CHANGING = {
    "lazy penalties": (("model.regularisation={r1: 1, r1_r2_every_n_updates: 2}",), 2),
    "learning rate": (
        ("model.generator_optimizer.schedule={kind: linear, updates: 99, final: 0}",),
        0,
    ),
    "warm-up": (("model.discriminator_optimizer.schedule.warmup=3",), 1),
    "betas": (
        (
            "model.discriminator_optimizer.betas_schedule={kind: linear, updates: 99, "
            "final: [0.1, 0.9]}",
        ),
        0,
    ),
    "noise": (("model.regularisation={instance_noise: 1, instance_noise_updates: 3}",), 1),
    "penalty": (
        (
            "model.regularisation={r2: 1, gradient_penalty: 1}",
            "model.regularisation.r2_schedule.warmup=2",
            "model.regularisation.gradient_penalty_schedule.warmup=3",
        ),
        1,
    ),
    "lecam": (("model.regularisation.lecam={weight: 1, start_update: 4}",), 2),
}
"""Settings with numbers that change with the update, and how many graphs they have."""


@pytest.mark.parametrize("name", CHANGING)
def test_a_graph_is_of_the_numbers_of_an_update(
    name: str, recorded_graphs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, graphs = CHANGING[name]
    assert compare("gan", *words, updates=12).graphs == graphs
    monkeypatch.setattr(graphed_rounds, "frozen_numbers", lambda gan: ())
    monkeypatch.setattr(graphed_rounds, "WARM_UP", 2)
    assert differs("gan", *words, updates=6)


def test_the_number_of_graphs_is_limited(
    recorded_graphs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphed_rounds, "MAX_GRAPHS", 1)
    monkeypatch.setattr(graphed_rounds, "MAX_COUNTED", 1)
    words = "model.regularisation={r1: 1, r1_r2_every_n_updates: 4}"
    assert compare("gan", words, updates=12).graphs == 0  # no kind is played thrice in a row
    monkeypatch.setattr(graphed_rounds, "MAX_COUNTED", 2)
    assert compare("gan", words, updates=12).graphs == 1


def test_minibatches_of_another_shape_are_played_eagerly(
    recorded_graphs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halved(gan: GAN, minibatches: list[Any]) -> None:
        rows = slice(4 if gan.updates == 5 else 8)
        train_round(gan, [real.part(rows, gan.device) for real in minibatches])

    monkeypatch.setattr("gan_lightning.gans.base.train_round", halved)
    assert compare("gan").graphs == 1


class Hooked(Callback):
    """Scales the gradients of each step."""

    def on_before_optimizer_step(self, trainer: Trainer, gan: Any, optimizer: Any) -> None:
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad.mul_(1 + gan.updates)


def no_reason(*args: Any) -> str:
    return ""


def test_each_reason_is_one(recorded_graphs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the reason the weights differ, or a capture fails."""
    monkeypatch.setattr(CycleGAN, "reason_against_graphs", no_reason)
    assert differs("cyclegan", "model.pool_size=24")
    for rule in (Extragradient, Lookahead):
        monkeypatch.setattr(rule, "reason_against_graphs", "")
    assert differs("gan", "model.update_rule.name=extragradient", "network.dropout=0.5")
    assert differs("gan", "model.update_rule={name: lookahead, lookahead_updates: 2}")
    hook = [Hooked()]
    reason = "Hooked.on_before_optimizer_step is called at each step"
    assert compare("gan", callbacks=hook).reason == reason
    monkeypatch.setattr(graphed_rounds, "reason_against_direct_steps", no_reason)
    assert differs("gan", callbacks=hook)


def test_anomaly_detection_looks_at_values(
    recorded_graphs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "detect_anomaly" in compare("gan", detect_anomaly=True).reason
    monkeypatch.setattr(torch, "is_anomaly_enabled", lambda: False)
    assert differs("gan", detect_anomaly=True)


def test_a_gradient_scaler_looks_at_values(recorded_graphs: None) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer, scaler = torch.optim.SGD([weight]), torch.amp.GradScaler("cpu")

    def step() -> None:
        scaler.scale(weight.sum()).backward()
        scaler.step(optimizer)

    with pytest.raises(RuntimeError, match="not permitted"):
        RecordedGraphs(torch.device("cpu"), [], [optimizer]).capture(step)


def test_reasons_of_the_training(recorded_graphs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    gan = make_gan("gan")
    trainer = SimpleNamespace(
        strategy=quiet_trainer().strategy, precision_plugin=None, callbacks=[]
    )
    gan._trainer = trainer  # type: ignore[assignment]
    monkeypatch.setattr(type(gan), "trainer", property(lambda gan: trainer))
    assert reason_against_graphs(gan) == ""
    monkeypatch.setattr(graphed_rounds, "any_compiled", lambda: True)
    assert reason_against_graphs(gan).startswith("networks are compiled")
    trainer.precision_plugin = SimpleNamespace(scaler=object())
    assert reason_against_graphs(gan).startswith("a gradient scaler")
    trainer.strategy = DDPStrategy()
    assert reason_against_graphs(gan) == "the strategy is DDPStrategy, of several processes"
    assert reason_against_direct_steps(gan) == reason_against_graphs(gan)
    monkeypatch.delitem(cuda_graphs.BACKENDS, "cpu")
    assert reason_against_graphs(gan) == "the device is cpu, and they need cuda"


@pytest.mark.parametrize("model", ["gan", "cyclegan"])
def test_the_log_says_why(
    model: str, caplog: pytest.LogCaptureFixture, recorded_graphs: None
) -> None:
    with caplog.at_level(logging.INFO, "gan_lightning"):
        train(model, graphs=True, updates=1)
    lines = [line for line in caplog.messages if line.startswith("CUDA graphs")]
    expected = "are used after 3 rounds" if model == "gan" else "are not used: model.pool_size is"
    assert len(lines) == 1
    assert expected in lines[0]


def test_a_processor_plays_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gan_lightning"):
        assert compare("gan", updates=1).graphs == 0
    assert "CUDA graphs are not used: the device is cpu, and they need cuda" in caplog.messages


def test_a_failed_capture_names_the_way_out(
    recorded_graphs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    penalty = GAN.discriminator_terms
    monkeypatch.setattr(GAN, "discriminator_terms", lambda *args: waiting(penalty(*args)))
    with pytest.raises(UserError, match=r"not permitted.*set trainer.cuda_graphs to false"):
        train("gan", graphs=True)


def waiting(terms: Any) -> Any:
    assert all(term.item() == term.item() for term in terms.values())
    return terms


def test_a_checkpoint_and_a_resumed_run_are_those_without_graphs(
    recorded_graphs: None, tmp_path: Path
) -> None:
    words = ("model.ema_decay=0.9", "model.discriminator_optimizer.name=rmsprop")
    files = {}
    for graphs in (False, True):
        files[graphs] = tmp_path / f"{graphs}.ckpt"
        save = [SaveCheckpoint(files[graphs], WARM_UP + 1)]
        whole = train("gan", *words, graphs=graphs, updates=9, callbacks=save)
    first, second = (torch.load(file, weights_only=True) for file in files.values())
    assert first.keys() == second.keys()
    assert equal(first, second)
    second.pop("loops")  # as the checkpoints of a run: the loader continues at the update
    torch.save(second, files[True])
    resumed = train("gan", *words, graphs=True, updates=9, checkpoint=files[True])
    assert resumed.graphs == 1
    assert equal(resumed.weights, whole.weights)
    assert equal(resumed.optimizers, whole.optimizers)


def test_optimizers_are_capturable_during_a_capture_only() -> None:
    weight = nn.Parameter(torch.ones(2, device=DEVICE))
    optimizers = [
        torch.optim.RMSprop([weight]),
        torch.optim.Adam([weight]),
        torch.optim.SGD([weight]),
    ]
    optimizers[0].state[weight] = {"step": torch.zeros(()), "square_avg": weight}
    with cuda_graphs._capturable(optimizers):
        assert [optimizer.param_groups[0].get("capturable") for optimizer in optimizers] == [
            True,
            True,
            None,
        ]
    assert [optimizer.param_groups[0].get("capturable") for optimizer in optimizers] == [
        False,
        False,
        None,
    ]
    cuda_graphs._count_steps_on_device(optimizers)
    assert optimizers[0].state[weight]["step"].device == DEVICE


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("model", ALL_GANS)
def test_graphs_of_a_gpu(model: str) -> None:
    compare(model, accelerator="gpu")
