"""Differentiable optimizer steps: their result, their gradient, and what they do not change."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad, gradcheck

from gan_lightning.core.optim import OptimizerConfig, build_optimizer
from gan_lightning.gans.differentiable_optim import Weights, unroll

OPTIMIZERS = {
    "adam": OptimizerConfig("adam", 0.05),
    "adam, decay": OptimizerConfig("adam", 0.05, [0.9, 0.99], weight_decay=0.1),
    "adam, clipped": OptimizerConfig("adam", 0.05, clip_norm=0.1),
    "adamw, decay": OptimizerConfig("adamw", 0.05, [0.9, 0.99], weight_decay=0.1),
    "rmsprop": OptimizerConfig("rmsprop", 0.02),
    "rmsprop, decay": OptimizerConfig("rmsprop", 0.02, weight_decay=0.1),
    "sgd": OptimizerConfig("sgd", 0.5),
    "sgd, decay": OptimizerConfig("sgd", 0.5, weight_decay=0.1),
    "sgd, decay, clipped": OptimizerConfig("sgd", 0.5, weight_decay=0.1, clip_norm=0.3),
}
optimizers = pytest.mark.parametrize("name", OPTIMIZERS)
warmed = pytest.mark.parametrize("warm_up", [0, 3])
DATA = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Toy:
    """A two-layer discriminator with a warmed-up optimizer, and a generator that shifts noise."""

    def __init__(self, name: str, warm_up: int = 0) -> None:
        rng = torch.Generator().manual_seed(2)
        shapes = {"inner": (2, 3), "outer": (3,)}
        self.weights = {
            key: nn.Parameter(torch.randn(shape, dtype=torch.float64, generator=rng))
            for key, shape in shapes.items()
        }
        # not in the order of its indices, like a channels_last convolution
        self.weights["inner"].data = self.weights["inner"].data.T.contiguous().T
        self.clip_norm = OPTIMIZERS[name].clip_norm
        self.optimizer = build_optimizer(list(self.weights.values()), OPTIMIZERS[name])
        self.step(torch.zeros(2, dtype=torch.float64), warm_up)

    def step(self, shift: Tensor, count: int) -> None:
        """Step the optimizer itself."""
        for _ in range(count):
            self.optimizer.zero_grad()
            loss_at(shift)(dict(self.weights)).backward()
            self.optimizer.step()

    def unrolled(self, shift: Tensor, steps: int) -> Weights:
        return unroll(self.weights, self.optimizer, loss_at(shift), steps, self.clip_norm)

    def value(self, steps: int) -> Callable[[Tensor], Tensor]:
        """Return the generator's loss after `steps` further steps, as a function of the shift."""
        return lambda shift: -loss_at(shift)(self.unrolled(shift, steps))


def loss_at(shift: Tensor) -> Callable[[Weights], Tensor]:
    """Return the discriminator's loss for a shift of the generator, as a function of weights."""

    def loss(weights: Weights) -> Tensor:
        def score(data: Tensor) -> Tensor:
            return torch.tanh(data @ weights["inner"]) @ weights["outer"]

        real, fake = score(DATA), score(NOISE + shift)
        return nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()

    return loss


def shift() -> Tensor:
    return torch.tensor([0.5, -0.3], dtype=torch.float64, requires_grad=True)


@optimizers
@warmed
@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_steps_equal_those_of_the_optimizer(name: str, warm_up: int, steps: int) -> None:
    toy, real = Toy(name, warm_up), Toy(name, warm_up)
    found = toy.unrolled(shift(), steps)
    real.step(shift().detach(), steps)
    for key, weight in real.weights.items():
        torch.testing.assert_close(found[key], weight.detach(), rtol=1e-9, atol=1e-12)


@optimizers
@warmed
def test_weights_and_optimizer_are_not_changed(name: str, warm_up: int) -> None:
    toy = Toy(name, warm_up)
    before = copy.deepcopy((toy.weights, toy.optimizer.state_dict()))
    slopes = [weight.grad for weight in toy.weights.values()]
    toy.value(3)(shift()).backward()
    after = toy.optimizer.state_dict()
    assert all(torch.equal(toy.weights[key], before[0][key]) for key in toy.weights)
    assert all(
        weight.grad is slope for weight, slope in zip(toy.weights.values(), slopes, strict=True)
    )
    assert after["param_groups"] == before[1]["param_groups"]
    assert after["state"].keys() == before[1]["state"].keys()
    for number, state in after["state"].items():
        assert state.keys() == before[1]["state"][number].keys()
        for key, value in state.items():
            assert value is None or torch.equal(value, before[1]["state"][number][key])


@optimizers
@warmed
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_gradient_through_the_steps_passes_gradcheck(
    name: str, warm_up: int, steps: int
) -> None:
    toy = Toy(name, warm_up)
    assert gradcheck(toy.value(steps), (shift(),), eps=1e-6, atol=1e-6, rtol=1e-4)


@optimizers
def test_the_gradient_differs_from_that_of_detached_steps(name: str) -> None:
    toy, at = Toy(name, warm_up=3), shift()
    whole = grad(toy.value(3)(at), at)[0]
    weights = {key: weight.detach() for key, weight in toy.unrolled(at, 3).items()}
    detached = grad(-loss_at(at)(weights), at)[0]
    assert (whole - detached).norm() > 0.01 * detached.norm()


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_weight_without_gradient_does_not_change_and_gives_no_nan(
    name: str, dtype: torch.dtype
) -> None:
    weights = {key: nn.Parameter(torch.ones(2, dtype=dtype)) for key in ("used", "dead")}
    optimizer = build_optimizer(list(weights.values()), OPTIMIZERS[name])
    at = torch.tensor(0.7, dtype=dtype, requires_grad=True)

    def loss(given: Weights) -> Tensor:
        return (given["used"] * at).square().sum() + 0 * (given["dead"] * at).sum()

    moved = unroll(weights, optimizer, loss, 2)
    assert torch.equal(moved["dead"], weights["dead"])
    slope = grad(torch.stack([weight.sum() for weight in moved.values()]).sum(), at)[0]
    assert slope.isfinite()
    assert slope != 0


def test_steps_do_not_use_autocast() -> None:
    weight = nn.Parameter(torch.randn(3, 3))
    optimizer = build_optimizer([weight], OPTIMIZERS["sgd"])
    data = torch.randn(4, 3)

    def moved() -> Tensor:
        return unroll({"w": weight}, optimizer, lambda given: (data @ given["w"]).std(), 2)["w"]

    plain = moved()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (data @ weight).dtype == torch.bfloat16
        assert torch.equal(moved(), plain)


def test_other_optimizers_are_an_error() -> None:
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(TypeError, match="steps of Adagrad cannot be unrolled"):
        unroll({"weight": weight}, torch.optim.Adagrad([weight]), lambda given: weight.sum(), 1)
