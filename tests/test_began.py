"""Errors, the controller of k and the measure of convergence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from factories import copy_weights, make_config, make_gan, train_model
from pytorch_lightning import Callback
from torch import Tensor, nn

from gan_lightning.errors import UserError
from gan_lightning.gans import BEGAN
from gan_lightning.networks.base import Encoder
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import check_settings

POINTS = torch.tensor([[6.0, -8.0], [0.0, 2.0], [0.0, 0.0]])


class Half(nn.Module):
    """A decoder that halves its input."""

    def forward(self, code: Tensor) -> Tensor:
        return code / 2


def began(*overrides: str) -> BEGAN:
    gan = make_gan("began", *overrides)
    assert isinstance(gan, BEGAN)
    return gan


def halving(*overrides: str) -> BEGAN:
    """Return a BEGAN whose error is half the mean absolute value of a sample."""
    gan = began(*overrides)
    gan.encoder, gan.decoder = Encoder(nn.Identity(), 2), Half()
    return gan


def test_the_error_is_l1_per_pixel() -> None:
    gan = halving()
    torch.testing.assert_close(gan.errors(POINTS), torch.tensor([3.5, 0.5, 0.0]))
    torch.testing.assert_close(gan.discriminate(POINTS), -gan.errors(POINTS))
    images = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4).float() - 50
    expected = np.abs(images.numpy() / 2).mean((1, 2, 3))
    np.testing.assert_allclose(gan.errors(images).numpy(), expected, rtol=1e-6)


def test_losses_and_their_gradients() -> None:
    gan = halving()
    gan.k.fill_(0.25)
    real, data = Batch(2 * POINTS), POINTS.clone().requires_grad_(True)
    fake = Sample(data, gan.prior(3))
    terms = gan.discriminator_loss(real, fake)
    assert terms["real"].item() == pytest.approx(8 / 3)
    assert terms["generated"].item() == pytest.approx(-0.25 * 4 / 3)
    loss = gan.generator_loss(real, fake)["generated"]
    assert loss.item() == pytest.approx(4 / 3)
    (slope,) = torch.autograd.grad(loss, data)  # of the opposite sign were the target detached
    torch.testing.assert_close(slope, POINTS.sign() / 12)


def test_the_controller_by_hand() -> None:
    gan = began("model.proportional_gain=0.1", "model.diversity_ratio=0.7")
    k = 0.0
    for real, generated in ((2.0, 0.5), (1.5, 0.9), (0.2, 8.0), (9.0, 1.0), (90.0, 1.0)):
        terms = {"real": torch.tensor(real), "generated": torch.tensor(-k * 3)}
        gan.after_round(terms, {"generated": torch.tensor(generated)})
        k = min(1, max(0, k + 0.1 * (0.7 * real - generated)))
        assert gan.k.item() == pytest.approx(k, abs=1e-6)
        logged = {name: value.item() for name, value in gan.logged_values().items()}
        convergence = real + abs(0.7 * real - generated)
        expected = {"balance/k": k, "balance/convergence": convergence}
        assert logged == pytest.approx(expected, abs=1e-5)
    assert k == 1


class Follow(Callback):
    """Compute k from the logged losses."""

    def __init__(self) -> None:
        self.k = 0.0
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: object, pl_module: object, *_: object) -> None:
        assert isinstance(pl_module, BEGAN)
        losses = pl_module.losses
        assert losses["loss/discriminator/generated"] <= 0
        imbalance = losses["loss/discriminator/real"] - losses["loss/generator/generated"]
        self.k = min(1, max(0, self.k + 0.05 * imbalance))
        assert losses["balance/k"] == pytest.approx(self.k, abs=1e-5)
        self.seen.append(self.k)


def test_training_moves_k_and_keeps_it_in_the_state() -> None:
    follow = Follow()
    words = (
        "model={proportional_gain: 0.05, diversity_ratio: 1}",
        "log.every_n_updates=1",
        "trainer.max_updates=12",
    )
    gan = train_model(make_config("began", *words), callbacks=[follow])
    assert len(set(follow.seen)) > 6
    assert copy_weights(gan)["k"].item() == pytest.approx(follow.k, abs=1e-5)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("diversity_ratio", 0.0, r"diversity_ratio is 0.0; it must lie in \(0, 1\]"),
        ("proportional_gain", 0.0, "proportional_gain is 0.0; it must be positive"),
    ],
)
def test_values_out_of_range(key: str, value: float, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        check_settings(BEGAN.Config(**{key: value}))


def test_packs_are_refused() -> None:
    with pytest.raises(UserError, match="BEGAN reconstructs each sample"):
        began("network.packing=2")
