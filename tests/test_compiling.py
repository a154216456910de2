"""Compiled players: equal weights, eager blocks, and networks that cannot be compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import factories
import pytest
import torch

from gan_lightning.core import compile as compiling
from gan_lightning.core.compile import compile_methods, compile_networks, eager_mode
from gan_lightning.core.module import BaseModule
from gan_lightning.gans import GAN
from gan_lightning.training.build import build


@pytest.fixture(autouse=True)
def traced_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trace and differentiate as torch.compile does, and run the traced operations eagerly.

    This needs no C++ compiler, takes less than a minute, and fails where the compiler fails.
    """
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    monkeypatch.setattr(compiling, "_any_compiled", False)
    yield
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def trained(name: str, *overrides: str, compiled: bool) -> BaseModule:
    model, data = build(factories.make_config(name, *overrides))
    if compiled:
        compile_networks(model.networks_in_training())
        compile_methods(model, model.methods_to_compile())
    factories.quiet_trainer(precision="32-true").fit(model, datamodule=data)
    return model


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        ("gan", ()),
        ("gan", ("model.regularisation.r1=1.0",)),
        ("infogan", ()),
        ("cgan", ("model.regularisation.lecam.weight=1.0",)),
        ("semi_supervised", ()),
        ("wgan_gp", ()),
        ("unrolled", ("model.regularisation.gradient_penalty=1.0",)),
    ],
)
def test_compiled_players_reach_the_same_weights(model: str, overrides: tuple[str, ...]) -> None:
    """Penalties need second derivatives, which a compiled function does not have."""
    plain = factories.copy_weights(trained(model, *overrides, compiled=False))
    compiled = trained(model, *overrides, compiled=True)
    assert compiled.updates == 6
    assert list(compiled.state_dict()) == list(plain)
    for name, value in compiled.state_dict().items():
        torch.testing.assert_close(value, plain[name], rtol=1e-5, atol=1e-6, msg=name)


def test_every_player_is_compiled_and_sampling_is_eager() -> None:
    model = trained("infogan", compiled=True)
    assert isinstance(model, GAN)
    for network in (model.generator, model.encoder, model.score, model.recognition):
        assert network._compiled_call_impl is not None
    traced = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert traced == 3  # the generator, and the whole loss of each player
    assert not torch._dynamo.utils.counters["graph_break"]
    model.sample(17, seed=0)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == traced


def test_losses_that_would_be_compiled_again_and_again_are_left_out() -> None:
    assert factories.make_gan("gan").methods_to_compile() == (
        "discriminator_loss",
        "generator_loss",
    )
    assert factories.make_gan("unrolled").methods_to_compile() == ("discriminator_loss",)
    assert factories.make_gan("cyclegan").methods_to_compile() == ("generator_loss",)
    scores = factories.make_gan("gan", "model.regularisation.lecam.weight=1")
    assert scores.methods_to_compile() == ("generator_loss",)


def test_a_loss_that_cannot_be_compiled_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = factories.copy_weights(trained("gan", compiled=False))

    def refusing(graph: object, inputs: object) -> None:
        raise RuntimeError("no working C++ compiler")

    monkeypatch.setattr(compiling, "BACKEND", refusing)
    assert factories.weights_equal(plain, factories.copy_weights(trained("gan", compiled=True)))


def test_a_network_that_cannot_be_compiled_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(graph: object, inputs: object) -> None:
        raise RuntimeError("no working C++ compiler")

    monkeypatch.setattr(compiling, "BACKEND", refusing)
    network = torch.nn.Linear(3, 2)
    compile_networks([network])
    data = torch.randn(5, 3)
    assert torch.equal(
        network(data), torch.nn.functional.linear(data, network.weight, network.bias)
    )


def test_eager_mode_is_empty_without_compiled_networks() -> None:
    assert isinstance(eager_mode(), nullcontext)
    compile_networks([torch.nn.Linear(1, 1)])
    assert not isinstance(eager_mode(), nullcontext)
