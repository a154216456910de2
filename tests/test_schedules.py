"""Schedules, gradient clipping, AdamW and gradient accumulation of the base class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from factories import copy_weights, make_config, make_gan, quiet_trainer, weights_equal
from pytorch_lightning import Callback
from test_resume import small, train_new
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.config.fingerprint import changed_values
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain
from gan_lightning.core.optim import OptimizerConfig, build_optimizer
from gan_lightning.core.schedules import BetasScheduleConfig, ScheduleConfig
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.ema import ema_decay_schedule, scheduled_decay
from gan_lightning.gans.regularisation import RegularisationConfig
from gan_lightning.gans.standard import StandardGAN
from gan_lightning.training.build import build
from gan_lightning.training.train import train

GENERATOR = "model.generator_optimizer"

# --- values


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (ScheduleConfig(), {0: 1, 7: 1}),
        (ScheduleConfig(warmup=4), {0: 0, 1: 0.25, 3: 0.75, 4: 1, 9: 1}),
        (ScheduleConfig(warmup=2, start=3), {0: 3, 1: 2, 2: 1}),
        (ScheduleConfig("linear", 0, 10, final=0.5), {0: 1, 5: 0.75, 10: 0.5, 11: 0.5}),
        (ScheduleConfig("linear", 4, 8, 0.5, 2), {0: 0.5, 2: 0.75, 4: 1, 6: 1.5, 8: 2, 99: 2}),
        (ScheduleConfig("cosine", 0, 10, final=0.1), {0: 1, 5: 0.55, 10: 0.1, 11: 0.1}),
        (ScheduleConfig("cosine", 2, 6), {0: 0, 2: 1, 3: (1 + math.sqrt(0.5)) / 2, 4: 0.5, 6: 0}),
    ],
)
def test_values_at_the_start_the_end_of_the_warm_up_and_the_end(
    schedule: ScheduleConfig, values: dict[int, float]
) -> None:
    schedule.validate()
    for update, value in values.items():
        assert schedule.factor(update) == pytest.approx(value, abs=1e-12)
    corners = {0: schedule.start if schedule.warmup else 1, schedule.warmup: 1}
    if schedule.updates is not None:
        corners[schedule.updates] = schedule.final
    assert {update: schedule.factor(update) for update in corners} == corners  # exactly


def test_betas_move_between_their_own_values() -> None:
    schedule = BetasScheduleConfig("linear", 2, 6, start=[0.0, 0.1], final=[0.1, 0.99])
    betas = [0.5, 0.9]
    assert schedule.betas(betas, 0) == (0.0, 0.1)
    assert schedule.betas(betas, 1) == pytest.approx((0.25, 0.5))
    assert schedule.betas(betas, 2) == (0.5, 0.9)
    assert schedule.betas(betas, 4) == pytest.approx((0.3, 0.945))
    assert schedule.betas(betas, 6) == (0.1, 0.99)


def test_the_half_life_of_the_average_is_scheduled() -> None:
    config = GANConfig(ema_decay=0.99)
    plain = [scheduled_decay(config, n) for n in range(2000)]
    assert plain == [ema_decay_schedule(0.99, n) for n in range(2000)]
    config.ema_schedule = ScheduleConfig("linear", 1000, 20_000, final=3.0)
    assert scheduled_decay(config, 0) == 0
    assert scheduled_decay(config, 500) == pytest.approx(0.99**2)  # half the half-life
    assert scheduled_decay(config, 1000) == 0.99
    assert scheduled_decay(config, 20_000) == pytest.approx(0.99 ** (1 / 3))


def test_the_weights_of_regularisers_are_scheduled() -> None:
    schedule = ScheduleConfig("linear", 0, 10, final=0.0)
    config = RegularisationConfig(
        r1=2, r2=6, gradient_penalty=4, instance_noise=8, r1_schedule=schedule,
        r2_schedule=schedule,
        gradient_penalty_schedule=schedule, instance_noise_schedule=schedule,
    )  # fmt: skip
    values = (config.r1_at(5), config.gradient_penalty_at(5), config.instance_noise_at(5))
    assert values == (1, 2, 4)
    assert config.r2_at(5) == 3
    assert RegularisationConfig(r1=0.3).r1_at(5) == 0.3


# --- in the config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("schedule.kind=cosin",), "schedule.kind is 'cosin'; valid are cosine, constant, linear"),
        (
            ("schedule.kin=cosine",),
            "key 'kin' in model.generator_optimizer.schedule is unknown; v",
        ),
        (("schedule=cosine",), "schedule is 'cosine'; it must be `key: value` pairs"),
        (("schedule.warmup=-1",), "schedule.warmup is -1; it must be at least 0"),
        (("schedule.warmup=soon",), "schedule.warmup is 'soon'; it must be a whole number"),
        (("schedule.updates=0",), "schedule.updates is 0; it must be at least 1, or be null"),
        (("schedule.final=-1",), "schedule.final is -1.0; it must be at least 0"),
        (
            ("schedule.kind=linear", "schedule.warmup=6"),
            "schedule.updates is 6; it must be above ",
        ),
        (("betas_schedule.kind=linear",), "betas_schedule.final is null, and kind is 'linear': se"),
        (
            ("betas_schedule.final=0.9",),
            "betas_schedule.final is 0.9; it must be a list of number",
        ),
        (("betas_schedule.final=[0,1]",), "betas_schedule.final is [0.0, 1.0]; it must have 2 ele"),
        (("betas_schedule.warmup=2", "name=sgd"), "betas_schedule is set, and sgd has no betas; l"),
        (("clip_norm=0",), "clip_norm is 0.0; it must be positive, or be null"),
        (("name=adamv",), "name is 'adamv'; valid are adam, adamw"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as raised:
        make_config("gan", *(f"{GENERATOR}.{override}" for override in overrides))
    assert "\n" not in str(raised.value)
    assert str(raised.value).removeprefix(f"{GENERATOR}.").startswith(message)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.ema_schedule.warmup=2",), "model.ema_schedule is set, and ema_decay is null: set"),
        (
            ("model.regularisation={instance_noise_updates: 2, instance_noise_schedule: {}}",),
            "model.regularisation.instance_noise_updates is 2, and instance_noise_schedule is set",
        ),
        (("model.accumulate_gradients=0",), "model.accumulate_gradients is 0; it must be at least"),
        (("model.regularisation.augmentation={}",), "model.regularisation.augmentation is {}; it "),
        (("model.generator_optimizer=adam",), "model.generator_optimizer is 'adam'; it must be `k"),
    ],
)
def test_a_wrong_value_of_the_model_is_named(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as raised:
        make_config("gan", *overrides)
    assert str(raised.value).startswith(message)


def test_a_minibatch_that_cannot_be_divided_is_an_error(tmp_path: Path) -> None:
    config = small("gan", 1, "model.accumulate_gradients=3", "network.packing=2")
    with pytest.raises(UserError) as raised:
        train_new(config, tmp_path / "run")
    assert str(raised.value) == (
        "data.batch_size is 8, which is no multiple of network.packing = 2 times "
        "model.accumulate_gradients = 3; the nearest valid value is 6"
    )


def test_a_schedule_keeps_its_length_when_the_run_is_resumed_for_longer() -> None:
    schedule = f"{GENERATOR}.schedule.kind=cosine"
    config = make_config("gan", schedule, "trainer.max_updates=9")
    assert config.model.generator_optimizer.schedule.updates == 9
    longer = load_config(as_plain(config), ["trainer.max_updates=20"])
    assert longer.model.generator_optimizer.schedule.updates == 9
    assert changed_values(config, longer) == []
    other = make_config("gan", schedule, "trainer.max_updates=20")
    assert changed_values(config, other) == [f"{GENERATOR}.schedule.updates 9 -> 20"]
    without_length = OptimizerConfig(schedule=ScheduleConfig("linear"))
    with pytest.raises(ValueError, match="updates is null, and kind is 'linear'"):
        build_optimizer(weights(), without_length)


def test_a_gan_takes_schedules_as_plain_values() -> None:
    schedule = {"kind": "cosine", "updates": 100}
    gan = StandardGAN({"generator_optimizer": {"schedule": schedule}}, "mlp", (2,))
    assert gan.config.generator_optimizer.schedule == ScheduleConfig("cosine", updates=100)
    for given, message in (
        ({"kind": "cosine"}, r"schedule.updates is null, and kind is 'cosine': set it"),
        ({"kin": "cosine"}, r"key 'kin' in generator_optimizer.schedule of config is unknown; va"),
        ("cosine", r"config.generator_optimizer.schedule is 'cosine'; it must be `key: value`"),
    ):
        with pytest.raises(ValueError, match=message):
            StandardGAN({"generator_optimizer": {"schedule": given}}, "mlp", (2,))


# --- in the step


def weights() -> list[nn.Parameter]:
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(size, generator=rng)) for size in ((3, 2), (4,))]


def step(
    optimizer: torch.optim.Optimizer,
    parameters: list[nn.Parameter],
    number: int,
    scale: float = 1.0,
) -> None:
    """Step down gradients that are a function of a number."""
    rng = torch.Generator().manual_seed(number)
    for weight in parameters:
        weight.grad = scale * torch.randn(weight.shape, generator=rng)
    optimizer.step()


def test_a_step_has_the_values_of_its_update() -> None:
    config = OptimizerConfig(
        "adamw",
        learning_rate=0.1,
        weight_decay=0.1,
        schedule=ScheduleConfig("cosine", 2, 6),
        betas_schedule=BetasScheduleConfig("linear", 0, 6, final=[0.9, 0.99]),
    )
    ours, theirs = weights(), weights()
    plain = torch.optim.AdamW(theirs, weight_decay=0.1, fused=True)
    number = 0
    optimizer = build_optimizer(ours, config, lambda: number)
    for number in range(8):
        assert config.schedule is not None
        assert config.betas_schedule is not None
        plain.param_groups[0]["lr"] = 0.1 * config.schedule.factor(number)
        plain.param_groups[0]["betas"] = config.betas_schedule.betas([0.5, 0.999], number)
        step(optimizer, ours, number)
        step(plain, theirs, number)
        assert all(map(torch.equal, ours, theirs))
    with pytest.raises(ValueError, match="an optimizer with schedules needs `updates`"):
        build_optimizer(weights(), config)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop"])
def test_epsilon_bounds_the_step_of_a_tiny_gradient(name: str) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    config = OptimizerConfig(name=name, learning_rate=1.0, betas=[0.0, 0.0], epsilon=1e-4)
    optimizer = build_optimizer([weight], config)
    weight.grad = torch.full((1,), 1e-6)
    optimizer.step()
    root = 1e-6 * (0.1 if name == "rmsprop" else 1)  # RMSprop's average starts at 0
    assert weight.item() == pytest.approx(-1e-6 / (root + 1e-4), rel=1e-4)


def test_gradients_are_clipped_by_their_norm_together() -> None:
    ours, theirs = weights(), weights()
    step(build_optimizer(ours, OptimizerConfig("sgd", 1.0, clip_norm=0.5)), ours, 1)
    plain = torch.optim.SGD(theirs, 1.0)
    step(torch.optim.SGD(theirs, 0.0), theirs, 1)
    clip_grad_norm_(theirs, 0.5)
    plain.step()
    assert all(map(torch.equal, ours, theirs))
    clipped = torch.cat([weight.grad.flatten() for weight in ours if weight.grad is not None])
    assert clipped.norm().item() == pytest.approx(0.5, rel=1e-5)


def test_scaled_gradients_of_a_fused_optimizer_are_clipped_by_their_own_norm() -> None:
    """In 16-mixed the step of a fused optimizer divides the gradients by the loss scale."""
    ours, theirs = weights(), weights()
    config = OptimizerConfig("adam", 0.1, clip_norm=1e-8)  # no larger than Adam's eps
    step(build_optimizer(ours, config), ours, 1)
    scaled = build_optimizer(theirs, config)
    scaled.grad_scale = torch.tensor(1024.0)  # type: ignore[attr-defined]  # as GradScaler does
    scaled.found_inf = torch.tensor(0.0)  # type: ignore[attr-defined]
    step(scaled, theirs, 1, scale=1024.0)
    for weight, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(weight, other)
    assert not all(torch.allclose(weight, old) for weight, old in zip(ours, weights(), strict=True))


def test_gradients_within_the_norm_are_not_changed() -> None:
    ours, theirs = weights(), weights()
    step(build_optimizer(ours, OptimizerConfig("sgd", 1.0, clip_norm=100.0)), ours, 1)
    step(build_optimizer(theirs, OptimizerConfig("sgd", 1.0)), theirs, 1)
    assert all(map(torch.equal, ours, theirs))


class HyperparameterRecorder(Callback):
    """Record the learning rate and the betas of both optimizers after each update."""

    def __init__(self) -> None:
        self.rates: list[list[float]] = []
        self.betas: list[tuple[float, float]] = []

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        groups = [optimizer.param_groups[0] for optimizer in trainer.optimizers]
        self.rates.append([group["lr"] for group in groups])
        self.betas.append(groups[1]["betas"])


def test_both_players_train_by_their_schedules() -> None:
    config = make_config(
        "unrolled",
        "model.discriminator_optimizer.schedule={kind: linear, final: 0.5}",
        f"{GENERATOR}.schedule.warmup=3",
        f"{GENERATOR}.betas_schedule={{kind: linear, final: [0.0, 0.99]}}",
    )
    gan, data = build(config)
    seen = HyperparameterRecorder()
    quiet_trainer(callbacks=[seen]).fit(gan, datamodule=data)
    assert [rate for rate, _ in seen.rates] == pytest.approx(
        [1e-4 * (1 - n / 12) for n in range(6)]
    )
    assert [rate for _, rate in seen.rates] == pytest.approx(
        [0, 1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3, 1e-3]
    )
    assert [betas[0] for betas in seen.betas] == pytest.approx(
        [0.5 * (1 - n / 6) for n in range(6)]
    )


def test_a_schedule_replaces_that_of_a_classifier() -> None:
    source = {
        "model": {"name": "digit_classifier"},
        "data": {"name": "mnist", "batch_size": 8},
        "trainer": {"max_updates": 2, "rounds_per_batch": 1, "precision": "32-true"},
    }
    schedule = "model.optimizer={learning_rate: 0.01, schedule: {kind: linear}}"
    config = load_config(source, [schedule])
    model, data = build(config)
    rates: list[float] = []

    class Recorder(Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    quiet_trainer(callbacks=[Recorder()]).fit(model, datamodule=data)
    assert rates == [0.01, 0.005]


# --- on resume


def test_a_loaded_state_does_not_change_the_hyperparameters() -> None:
    parameters = weights()
    old = build_optimizer(parameters, OptimizerConfig(learning_rate=0.1, betas=[0.5, 0.9]))
    step(old, parameters, 1)
    new = build_optimizer(
        parameters, OptimizerConfig(learning_rate=0.3, betas=[0.0, 0.99], weight_decay=0.1)
    )
    fresh = {key: value for key, value in new.param_groups[0].items() if key != "params"}
    new.load_state_dict(old.state_dict())
    assert {key: value for key, value in new.param_groups[0].items() if key != "params"} == fresh
    for weight in parameters:
        assert torch.equal(new.state[weight]["exp_avg"], old.state[weight]["exp_avg"])


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
@pytest.mark.parametrize("other", ["adam", "adamw", "rmsprop", "sgd"])
def test_the_moments_of_another_kind_of_optimizer_are_left_out(name: str, other: str) -> None:
    parameters, fresh = weights(), weights()
    old = build_optimizer(parameters, OptimizerConfig(name))
    step(old, parameters, 1)
    new = build_optimizer(parameters, OptimizerConfig(other))
    new.load_state_dict(old.state_dict())
    with torch.no_grad():
        for weight, value in zip(fresh, parameters, strict=True):
            weight.copy_(value)
    step(new, parameters, 2)
    step(build_optimizer(fresh, OptimizerConfig(other)), fresh, 2)
    kept = {name, other} <= {"adam", "adamw"} or name == other == "rmsprop"
    assert all(map(torch.equal, parameters, fresh)) != kept


def test_a_run_is_resumed_with_the_new_learning_rate(tmp_path: Path) -> None:
    part = train_new(small("gan", 3), tmp_path / "part")
    changes = [f"{GENERATOR}.learning_rate=0.5", f"{GENERATOR}.betas=[0.1,0.2]"]
    rest = train(small("gan", 6, *changes), "test", resume=part.run_directory)
    path = list_checkpoints(rest.run_directory.checkpoints)[-1]
    groups = [
        state["param_groups"][0]
        for state in torch.load(str(path), weights_only=True)["optimizer_states"]
    ]
    assert [group["lr"] for group in groups] == [2e-4, 0.5]
    assert [group["betas"] for group in groups] == [(0.5, 0.999), (0.1, 0.2)]


# --- accumulation

EQUAL_IN_PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gan", "wgan", "began", "ebgan", "infogan", "cgan", "acgan", "cogan"), ()),
    "pix2pix": ("network.norm=none", "network.dropout=0"),
    "unrolled": ("model.unrolled_steps=0",),
    "dragan": ("model.regularisation.gradient_penalty=0",),  # the deviation is that of a part
}
"""Variants whose losses are means over samples, with the options without which they are not."""


def trained(model: str, *overrides: str, precision: Any = "32-true") -> GAN:
    """Train three updates by gradient descent."""
    config = make_config(
        model,
        *(f"model.{player}_optimizer={{name: sgd, learning_rate: 0.1}}" for player in PLAYERS),
        "trainer.max_updates=3",
        "log.every_n_updates=1",
        *EQUAL_IN_PARTS[model],
        *overrides,
    )
    gan, data = build(config)
    quiet_trainer(precision=precision).fit(gan, datamodule=data)
    assert isinstance(gan, GAN)
    return gan


PLAYERS = ("discriminator", "generator")


@pytest.mark.parametrize("model", EQUAL_IN_PARTS)
def test_accumulated_gradients_equal_those_of_the_whole_minibatch(model: str) -> None:
    whole, parts = trained(model), trained(model, "model.accumulate_gradients=4")
    first, second = copy_weights(whole), copy_weights(parts)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-5)
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4, abs=1e-5)
    assert not weights_equal(first, copy_weights(make_gan(model, *EQUAL_IN_PARTS[model])))


def test_both_players_have_their_gradients_in_low_precision() -> None:
    """Autocast keeps copies of weights, also those that were made without a graph."""
    start = copy_weights(make_gan("gan"))
    whole = copy_weights(trained("gan", precision="bf16-mixed"))
    parts = copy_weights(trained("gan", "model.accumulate_gradients=4", precision="bf16-mixed"))
    for name, value in whole.items():
        assert (parts[name] - value).norm() < 0.2 * (value - start[name]).norm()


def test_parts_of_different_size_are_weighted_by_it() -> None:
    whole = copy_weights(trained("gan", "model.discriminator_steps=2"))
    parts = trained("gan", "model.discriminator_steps=2", "model.accumulate_gradients=3")
    for name, value in copy_weights(parts).items():
        torch.testing.assert_close(value, whole[name], rtol=1e-4, atol=1e-5)


@contextmanager
def recorded_rows(gan: GAN) -> Iterator[list[tuple[str, int]]]:
    """Record the network and the rows of each forward pass whose graph is kept."""
    rows: list[tuple[str, int]] = []

    def record(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
            if torch.is_grad_enabled():
                rows.append((name, len(inputs[0])))

        return hook

    handles = [getattr(gan, name).register_forward_hook(record(name)) for name in PLAYERS]
    try:
        yield rows
    finally:
        for handle in handles:
            handle.remove()


def test_only_a_part_has_a_graph_at_a_time() -> None:
    config = make_config("gan", "model.accumulate_gradients=4", "trainer.max_updates=1")
    gan, data = build(config)
    assert isinstance(gan, GAN)
    with recorded_rows(gan) as rows:
        quiet_trainer().fit(gan, datamodule=data)
    discriminator_step = [("discriminator", 2)] * 2 * 4  # real and generated
    assert rows == discriminator_step + [("generator", 2), ("discriminator", 2)] * 4


def test_one_step_for_each_minibatch() -> None:
    gan = trained("gan", "model.discriminator_steps=2", "model.accumulate_gradients=4")
    assert gan.updates == 3
    assert gan.images_seen == 3 * 2 * 8
