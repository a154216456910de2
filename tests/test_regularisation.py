"""Gradient penalties against closed forms, and instance noise in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from factories import (
    ALL_GANS,
    copy_weights,
    make_config,
    make_gan,
    make_real_batch,
    quiet_trainer,
    train_model,
    weights_equal,
)
from pytorch_lightning import Callback
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.gans.base import GAN
from gan_lightning.gans.gradient_penalties import (
    dragan_penalty,
    gradient_norms,
    gradient_penalty,
    interpolate,
    perturb,
    r1,
    r2,
)
from gan_lightning.gans.parameters import parameters
from gan_lightning.gans.regularisation import RegularisationConfig, penalties
from gan_lightning.training.build import build
from gan_lightning.training.checks import check_batch_norm
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import check_settings

REAL = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
FAKE = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
SIDES = pytest.mark.parametrize("one_sided", [False, True])


class Linear(nn.Module):
    """D(x) = w.x, whose gradient is w everywhere."""

    def __init__(self, *weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, data: Tensor) -> Tensor:
        return data @ self.weight


class Quadratic(Linear):
    """D(x) = sum w x^2 / 2, whose gradient is w x."""

    def forward(self, data: Tensor) -> Tensor:
        scores: Tensor = 0.5 * data.square() @ self.weight
        return scores


class Packed(Linear):
    """D of a pack of two samples: w.x1 + 2 w.x2, whose gradient is (w, 2 w)."""

    def forward(self, data: Tensor) -> Tensor:
        first, second = data.unflatten(0, (-1, 2)).unbind(1)
        scores: Tensor = (first + 2 * second) @ self.weight
        return scores


@SIDES
@pytest.mark.parametrize("length", [0.25, 1.0, 3.0])
def test_penalty_of_a_linear_critic(length: float, one_sided: bool) -> None:
    critic = Linear(0.6 * length, 0.0, -0.8 * length)
    excess = length - 1
    if one_sided:
        excess = max(0.0, excess)
    penalty = gradient_penalty(critic, REAL, FAKE, one_sided)
    assert penalty.item() == pytest.approx(excess**2, abs=1e-6)
    (slope,) = torch.autograd.grad(penalty, critic.weight)
    direction = critic.weight.detach() / length
    torch.testing.assert_close(slope, 2 * excess * direction, rtol=1e-4, atol=1e-5)


@SIDES
def test_each_sample_has_its_own_norm(one_sided: bool) -> None:
    critic = Quadratic(1.0, 2.0, -1.0)
    points = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 1.0, 2.0]])
    norms = torch.tensor([3.0, 0.4, 8**0.5])
    torch.testing.assert_close(gradient_norms(critic, points), norms)
    excess = (norms - 1).relu() if one_sided else norms - 1
    penalty = gradient_penalty(critic, points, points, one_sided)
    torch.testing.assert_close(penalty, excess.square().mean())


@SIDES
def test_with_packing_each_pack_has_a_norm(one_sided: bool) -> None:
    critic = Packed(0.6, 0.0, -0.8)
    torch.testing.assert_close(gradient_norms(critic, REAL), torch.full((3,), 5**0.5))
    penalty = gradient_penalty(critic, REAL, FAKE, one_sided)
    assert penalty.item() == pytest.approx((5**0.5 - 1) ** 2, rel=1e-5)


def test_packs_are_consecutive_samples() -> None:
    gan = make_gan("gan", "network.packing=2")
    data = torch.randn(8, 2)
    whole = gradient_norms(gan.discriminate, data)
    parts = [gradient_norms(gan.discriminate, pair) for pair in data.split(2)]
    assert whole.shape == (4,)
    torch.testing.assert_close(whole, torch.cat(parts))


def test_r1_in_closed_form() -> None:
    assert r1(Linear(3.0, 0.0, -4.0), REAL).item() == pytest.approx(12.5)
    critic = Quadratic(1.0, 2.0, -1.0)
    expected = 0.5 * (REAL * critic.weight).square().sum(1).mean()
    torch.testing.assert_close(r1(critic, REAL), expected)
    (slope,) = torch.autograd.grad(r1(critic, REAL), critic.weight)
    torch.testing.assert_close(slope, critic.weight.detach() * REAL.square().mean(0))


class Hilly(Linear):
    """D(x) = exp(-(w.x)^2), whose gradient is -2 (w.x) exp(-(w.x)^2) w."""

    def forward(self, data: Tensor) -> Tensor:
        return (-(data @ self.weight).square()).exp()


def half_of_squares(weight: Tensor, gamma: float, data: Tensor) -> Tensor:
    """Return gamma / 2 times the mean squared gradient of `Hilly`, by hand."""
    along = (data @ weight).square()
    return gamma / 2 * (4 * along * (-2 * along).exp() * weight.square().sum()).mean()


def test_r1_and_r2_equal_an_independent_form_in_value_and_gradient() -> None:
    critic, weight = Hilly(0.3, -0.5, 0.4), torch.tensor([0.3, -0.5, 0.4], dtype=torch.float64)
    config = RegularisationConfig(r1=0.7, r2=0.2)
    found = penalties(config, 0, critic, REAL, FAKE)
    for name, gamma, data in (("r1", 0.7, REAL), ("r2", 0.2, FAKE)):
        slope, expected = torch.func.grad_and_value(half_of_squares)(weight, gamma, data.double())
        torch.testing.assert_close(found[name].double(), expected, rtol=0, atol=1e-6)
        (own,) = torch.autograd.grad(found[name], critic.weight)
        torch.testing.assert_close(own.double(), slope, rtol=0, atol=1e-6)


def test_lazy_penalties_are_used_in_every_kth_update_at_k_times_their_weight() -> None:
    used: list[int] = []

    def watched(data: Tensor) -> Tensor:
        used.append(update)
        return 3 * data.sum(1)

    config = RegularisationConfig(r1=0.5, r2=0.25, r1_r2_every_n_updates=3)
    totals = dict.fromkeys(("r1", "r2"), 0.0)
    for update in range(6):
        terms = penalties(config, update, watched, REAL, FAKE)
        totals = {name: totals[name] + term.item() for name, term in terms.items()}
    assert used == [0, 0, 3, 3]
    assert totals == pytest.approx({"r1": 6 * 0.5 * 13.5, "r2": 6 * 0.25 * 13.5})


IMAGES = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(2)) * 2 - 1
REPEATS = 5_000


def image_critic() -> nn.Module:
    """Return a network of piecewise linear scores of images."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


@pytest.mark.parametrize(
    ("critic", "data"),
    [(Hilly(0.3, -0.5, 0.4), REAL), (image_critic(), IMAGES)],
    ids=["points", "images"],
)
def test_finite_differences_are_the_exact_penalties_in_mean(
    critic: nn.Module, data: Tensor
) -> None:
    exact = RegularisationConfig(r1=0.7, r2=0.2)
    estimate = replace(exact, r1_r2_gradients="finite_differences")
    repeated = data.repeat(REPEATS, *[1] * (data.ndim - 1))  # each with directions of its own
    torch.manual_seed(0)
    expected, found = (
        penalties(config, 0, critic, repeated, repeated) for config in (exact, estimate)
    )
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0.02, atol=0)
        weight = next(critic.parameters())
        slope, own = (torch.autograd.grad(terms[name], weight)[0] for terms in (expected, found))
        share = (own * slope).sum() / slope.square().sum()  # other directions are noise
        assert share == pytest.approx(1, abs=0.02)


def test_finite_differences_need_no_second_derivative() -> None:
    class Once(torch.autograd.Function):
        """The sum of squares, whose derivative cannot be differentiated."""

        @staticmethod
        def forward(ctx: Any, data: Tensor) -> Tensor:
            ctx.save_for_backward(data)
            return data.square().sum(1)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, slope: Tensor) -> Tensor:
            return 2 * ctx.saved_tensors[0] * slope[:, None]

    scale = torch.ones(1, requires_grad=True)
    config = RegularisationConfig(r1=1.0, r1_r2_gradients="finite_differences")
    term = penalties(config, 0, lambda data: Once.apply(scale * data), REAL, FAKE)["r1"]
    term.backward()
    assert scale.grad is not None
    assert scale.grad > 0


def test_r2_is_at_generated_samples_of_their_own_classes() -> None:
    gan = make_gan("cgan", "model.regularisation.r2=0.5")
    real, fake = make_real_batch(gan, 12), gan.generate_from_prior(12).detach()
    assert not torch.equal(gan.require_labels(real.condition), gan.require_labels(fake.condition))
    expected = 0.5 * r2(lambda data: gan.discriminate(data, fake.condition), fake.data)
    assert torch.equal(gan.discriminator_terms(real, fake)["r2"], expected)


def test_r1_is_at_real_samples_and_the_penalty_between_real_and_generated_ones() -> None:
    seen: list[Tensor] = []

    def watched(data: Tensor) -> Tensor:
        seen.append(data.detach())
        return data.sum(1)

    r1(watched, REAL)
    assert torch.equal(seen.pop(), REAL)
    gradient_penalty(watched, REAL, FAKE)
    share = (seen.pop() - REAL) / (FAKE - REAL)
    torch.testing.assert_close(share, share[:, :1].expand(6, 3), rtol=1e-3, atol=1e-4)


def test_interpolation_points_are_uniform_and_independent() -> None:
    points = interpolate(torch.zeros(4000, 2, 3, 3), torch.ones(4000, 2, 3, 3))
    own = points.flatten(1)
    assert torch.equal(own, own[:, :1].expand_as(own))
    quartiles = own[:, 0].quantile(torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, torch.tensor([0.25, 0.5, 0.75]), rtol=0, atol=0.03)


def test_dragan_in_numpy() -> None:
    critic, norm = Quadratic(1.0, 2.0, -1.0), 0.7
    torch.manual_seed(5)
    u, a = torch.rand(6 * 3).view(6, 3).double().numpy(), torch.rand(6).double().numpy()
    real = REAL.double().numpy()
    points = real + a[:, None] * (0.5 * real.std() * u)
    norms = np.sqrt(((points * np.array([1.0, 2.0, -1.0])) ** 2).sum(1))
    for one_sided in (False, True):
        excess = np.maximum(norms - norm, 0) if one_sided else norms - norm
        torch.manual_seed(5)
        found = dragan_penalty(critic, REAL, one_sided, norm)
        assert found.item() == pytest.approx((excess**2).mean(), rel=1e-5)
        settings = RegularisationConfig(
            gradient_penalty=3.0,
            gradient_penalty_points="around_real",
            gradient_penalty_norm=norm,
            one_sided=one_sided,
        )
        torch.manual_seed(5)
        term = penalties(settings, 0, critic, REAL, FAKE)["gradient_penalty"]
        torch.testing.assert_close(term, 3 * found)


def test_dragan_points_are_up_to_half_a_deviation_above_real_samples() -> None:
    real = 5 + 2 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    moves = (perturb(real) - real) / real.std()
    assert moves.min() >= -1e-5
    assert moves.max() <= 0.5 + 1e-3
    # the mean of a / 2 u is 1 / 8, and the coordinates of a sample share a
    assert moves.mean().item() == pytest.approx(1 / 8, abs=0.005)
    assert torch.corrcoef(moves.T)[0, 1].item() == pytest.approx(3 / 7, abs=0.06)
    assert torch.equal(perturb(torch.ones(3, 2)), torch.ones(3, 2))


def test_dragan_is_the_standard_gan_with_its_penalty() -> None:
    words = (
        "model.regularisation={gradient_penalty: 10, gradient_penalty_points: around_real}",
        "model.discriminator_optimizer={learning_rate: 1e-4, betas: [0.5, 0.9]}",
        "model.generator_optimizer={learning_rate: 1e-4, betas: [0.5, 0.9]}",
    )
    named, plain = (
        copy_weights(train_model(make_config(model, *more)))
        for model, more in (("dragan", ()), ("gan", words))
    )
    assert weights_equal(named, plain)


def test_config_weights_and_names_of_the_terms() -> None:
    critic = Linear(3.0, 0.0, 0.0)
    both = RegularisationConfig(r1=0.5, gradient_penalty=10.0)
    terms = {name: term.item() for name, term in penalties(both, 0, critic, REAL, FAKE).items()}
    assert terms == pytest.approx({"r1": 2.25, "gradient_penalty": 40.0})
    assert penalties(RegularisationConfig(one_sided=True), 0, critic, REAL, FAKE) == {}
    one_sided = RegularisationConfig(gradient_penalty=1.0, one_sided=True)
    assert penalties(one_sided, 0, Linear(0.5, 0.0, 0.0), REAL, FAKE)["gradient_penalty"] == 0


def test_the_penalty_has_a_gradient_in_the_generated_samples() -> None:
    critic, fake = Quadratic(1.0, 2.0, -1.0), FAKE.clone().requires_grad_(True)
    torch.manual_seed(0)
    points = interpolate(torch.zeros(6, 3), torch.ones(6, 3))[:, :1]
    torch.manual_seed(0)
    (slope,) = torch.autograd.grad(gradient_penalty(critic, torch.zeros(6, 3), fake), fake)
    weight = critic.weight.detach()
    gradient = weight * points * FAKE
    norm = gradient.norm(dim=1, keepdim=True)
    expected = 2 * (norm - 1) / norm * gradient * weight * points / 6
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-5)


def test_a_constant_critic_gives_no_nan() -> None:
    critic = Linear(0.0, 0.0, 0.0)
    for penalty in (r1(critic, REAL), r2(critic, FAKE), gradient_penalty(critic, REAL, FAKE)):
        (slope,) = torch.autograd.grad(penalty, critic.weight)
        assert slope.isfinite().all()


@pytest.mark.parametrize("mode", ["grad", "no_grad"])
def test_autocast_does_not_change_the_norms(mode: str) -> None:
    gan = make_gan("wgan_gp")
    data = torch.randn(8, 2)
    plain = gradient_norms(gan.discriminate, data)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.set_grad_enabled(mode == "grad"):
        norms = gradient_norms(gan.discriminate, data.bfloat16())
        exact = gradient_norms(gan.discriminate, data)
    assert norms.dtype == torch.float32
    assert torch.equal(exact, plain)


PENALISED = ("model.regularisation={r1: 0.1, r2: 0.1}", "model.regularisation.gradient_penalty=1")


@pytest.mark.parametrize("model", ALL_GANS)
def test_every_variant_trains_with_penalties_and_noise(model: str) -> None:
    if model == "cyclegan":
        pytest.skip("has two discriminators, and refuses penalties, which would be those of one")
    # pix2pix does not allow noise, and its networks have batch normalisation
    noise = "model.regularisation.instance_noise=0.1"
    more = "network.norm=instance" if model == "pix2pix" else noise
    # second derivatives of a pretrained network take long
    short = ["trainer.max_updates=1", "data.batch_size=2"] if model == "projected" else []
    gan, data = build(make_config(model, *PENALISED, more, *short, "log.every_n_updates=1"))
    quiet_trainer().fit(gan, datamodule=data)
    names = {f"loss/discriminator/{name}" for name in ("r1", "r2", "gradient_penalty")}
    assert names <= set(gan.losses)
    assert not {name for name in gan.losses if name.startswith("loss/generator/r1")}
    assert all(torch.tensor(value).isfinite() for value in gan.losses.values())
    assert all(value.isfinite().all() for value in copy_weights(gan).values())


@pytest.mark.parametrize("key", ["r1", "r2", "gradient_penalty"])
def test_a_penalty_refuses_batch_norm_in_the_discriminator(key: str) -> None:
    batch_norm = {"network": {"name": "infogan", "width": 4}, "data": {"name": "mnist"}}
    weight = f"model.regularisation.{key}=0.5"
    config = make_config("gan", weight, **batch_norm)
    gan, _ = build(config)  # a run of an earlier version loads, and generates samples
    assert isinstance(gan, GAN)
    message = f"regularisation.{key} is 0.5, and .* batch normalisation"
    with pytest.raises(UserError, match=message) as error:
        check_batch_norm(config, gan)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=message):  # in a plain training, too
        gan.configure_optimizers()
    other = make_config("gan", **batch_norm)
    check_batch_norm(other, build(other)[0])


@pytest.mark.parametrize("model", ALL_GANS)
@pytest.mark.parametrize("key", ["r1", "r2", "gradient_penalty"])
def test_a_penalty_has_a_gradient_in_the_discriminator_only(model: str, key: str) -> None:
    gan = make_gan(model)
    settings = RegularisationConfig()
    setattr(settings, key, 1.0)
    real, fake = make_real_batch(gan, 8), make_real_batch(gan, 8, seed=1)
    terms = penalties(
        settings,
        0,
        lambda data: gan.discriminate(data, real.condition),
        real.data,
        fake.data,
    )
    terms[key].backward()
    slopes = [weight.grad for weight in parameters(gan.discriminator_players())]
    assert any(slope is not None and slope.abs().sum() > 0 for slope in slopes)
    assert all(weight.grad is None for weight in gan.generator.parameters())


class InputRecorder(Callback):
    """Record the inputs of both players' losses, with and without the noise."""

    def __init__(self) -> None:
        self.clean: list[Tensor] = []
        self.calls: list[tuple[str, int, Batch, Sample, Tensor]] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, _: int) -> None:
        self.clean.append(batch.data.flatten(0, 1))

    def watch(self, gan: Any, player: str) -> None:
        loss = getattr(gan, f"{player}_loss")

        def watched(real: Batch, fake: Sample) -> Any:
            clean = gan.generate(fake.condition).detach()
            self.calls.append((player, gan.updates, real, fake, clean))
            return loss(real, fake)

        setattr(gan, f"{player}_loss", watched)


def train_and_record(*overrides: str) -> InputRecorder:
    ring = {"name": "ring", "points": 1024, "batch_size": 512}
    run = make_config("gan", "model.discriminator_steps=2", *overrides, data=ring)
    gan, data = build(run)
    seen = InputRecorder()
    for player in ("discriminator", "generator"):
        seen.watch(gan, player)
    quiet_trainer(callbacks=[seen]).fit(gan, datamodule=data)
    return seen


NOISE = "model.regularisation.instance_noise=0.5"


@pytest.mark.parametrize(("updates", "falls"), [(4, [1, 0.75, 0.5, 0.25, 0, 0]), (0, [1] * 6)])
def test_both_losses_have_the_noise_of_the_update(updates: int, falls: list[float]) -> None:
    seen = train_and_record(NOISE, f"model.regularisation.instance_noise_updates={updates}")
    minibatches = iter(torch.cat(seen.clean))
    clean = torch.empty(0)
    for player, update, real, fake, generated in seen.calls:
        if player == "discriminator":
            clean = next(minibatches)
        noises = [(real.data - clean).flatten(), (fake.data.detach() - generated).flatten()]
        for noise in noises:
            assert noise.std().item() == pytest.approx(0.5 * falls[update], rel=0.1, abs=1e-6)
            assert noise.mean().item() == pytest.approx(0, abs=0.06)
        if falls[update]:
            assert torch.corrcoef(torch.stack(noises))[0, 1].abs() < 0.15
    assert [player[0] for player, *_ in seen.calls] == ["d", "d", "g"] * 6


def test_the_noise_is_new_in_each_step_and_the_last_minibatch_serves_both_players() -> None:
    seen = train_and_record(NOISE)
    for first, second, third in zip(*[iter(seen.calls)] * 3, strict=True):
        assert torch.equal(second[2].data, third[2].data)
        assert torch.equal(second[3].data, third[3].data)
        assert not torch.equal(first[2].data, second[2].data)
        assert third[3].data.requires_grad
        assert not second[3].data.requires_grad


def test_the_noise_does_not_change_the_generators_inputs() -> None:
    plain, noisy = train_and_record(), train_and_record(NOISE)
    for one, other in zip(plain.calls, noisy.calls, strict=True):
        first, second = one[3].condition.parts(), other[3].condition.parts()
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_seed_determines_the_noise() -> None:
    runs = [
        copy_weights(train_model(make_config("gan", *noise)))
        for noise in ((NOISE,), (NOISE,), (), ())
    ]
    assert weights_equal(runs[0], runs[1])
    assert not weights_equal(runs[0], runs[2])
    assert weights_equal(
        runs[2],
        copy_weights(train_model(make_config("gan", "model.regularisation.instance_noise=0"))),
    )


@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty", "instance_noise"])
def test_negative_weights_are_an_error(name: str) -> None:
    settings = RegularisationConfig()
    setattr(settings, name, -1.0)
    with pytest.raises(ValueError, match=f"{name} is -1.0; it must be at least 0"):
        check_settings(settings)
