"""Compiled players: the same weights, what stands aside, and what happens without a compiler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import factories
import pytest
import torch

from gan_lightning.core import compile as compiling
from gan_lightning.core.compile import compile_networks, eager_mode
from gan_lightning.core.module import BaseModule
from gan_lightning.gans import GAN
from gan_lightning.training.build import build


@pytest.fixture(autouse=True)
def compiled_as_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trace and differentiate as the compiler does, and compute the traced operations as they are.

    That takes no C++ compiler and no minute, and refuses what the compiler refuses.
    """
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    monkeypatch.setattr(compiling, "_any_compiled", False)
    yield
    torch._dynamo.reset()


def trained(model: str, *overrides: str, compiled: bool) -> BaseModule:
    learner, data = build(factories.make_config(model, *overrides))
    if compiled:
        compile_networks(learner.networks_in_training())
    factories.quiet_trainer(precision="32-true").fit(learner, datamodule=data)
    return learner


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        ("gan", ()),
        ("gan", ("model.regularisation.r1=1.0",)),
        ("infogan", ()),
        ("wgan_gp", ()),
        ("unrolled", ("model.regularisation.gradient_penalty=1.0",)),
    ],
)
def test_compiled_players_reach_the_same_weights(model: str, overrides: tuple[str, ...]) -> None:
    """Gradients of gradients among them, which a compiled function has none of."""
    plain = factories.copy_weights(trained(model, *overrides, compiled=False))
    compiled = trained(model, *overrides, compiled=True)
    assert compiled.updates == 6
    assert list(compiled.state_dict()) == list(plain)
    for name, value in compiled.state_dict().items():
        torch.testing.assert_close(value, plain[name], rtol=1e-5, atol=1e-6, msg=name)


def test_every_player_is_compiled_and_a_sample_computes_as_written() -> None:
    learner = trained("infogan", compiled=True)
    assert isinstance(learner, GAN)
    for network in (learner.generator, learner.encoder, learner.score, learner.recognition):
        assert network._compiled_call_impl is not None
    traced = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    learner.sample(17, seed=0)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == traced


def test_what_cannot_be_compiled_computes_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(graph: object, inputs: object) -> None:
        raise RuntimeError("no working C++ compiler")

    monkeypatch.setattr(compiling, "BACKEND", refusing)
    network = torch.nn.Linear(3, 2)
    compile_networks([network])
    data = torch.randn(5, 3)
    assert torch.equal(
        network(data), torch.nn.functional.linear(data, network.weight, network.bias)
    )


def test_nothing_stands_aside_where_nothing_is_compiled() -> None:
    assert isinstance(eager_mode(), nullcontext)
    compile_networks([torch.nn.Linear(1, 1)])
    assert not isinstance(eager_mode(), nullcontext)
