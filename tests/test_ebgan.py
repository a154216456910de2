"""Energies, the margin and the pulling-away term."""

from __future__ import annotations

import pytest
import torch
from factories import make_gan
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from gan_lightning.gans import EBGAN
from gan_lightning.losses import pulling_away
from gan_lightning.networks.base import Encoder
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import check_settings

CODES = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def test_pulling_away_is_the_mean_over_all_pairs() -> None:
    pairs = [
        cosine_similarity(CODES[i], CODES[j], dim=0) ** 2
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert len(pairs) == 5 * 4
    torch.testing.assert_close(pulling_away(CODES), torch.stack(pairs).mean())


def test_pulling_away_at_its_extremes() -> None:
    scales = torch.tensor([[1.0], [-2.0], [30.0]])
    assert pulling_away(torch.eye(4)).item() == 0
    assert pulling_away(scales * CODES[:1]).item() == pytest.approx(1)
    assert pulling_away(torch.ones(2, 3)).item() == pytest.approx(1)


def test_pulling_away_does_not_depend_on_the_lengths_of_codes() -> None:
    lengths = torch.tensor([[0.1], [1.0], [2.0], [5.0], [100.0]])
    torch.testing.assert_close(pulling_away(lengths * CODES), pulling_away(CODES))
    coarse = CODES.bfloat16()
    assert torch.equal(pulling_away(coarse), pulling_away(coarse.float()))


def test_a_gradient_step_of_pulling_away_lowers_the_similarity() -> None:
    codes = torch.tensor([[1.0, 0.1], [1.0, -0.1]], requires_grad=True)
    (slope,) = torch.autograd.grad(pulling_away(codes), codes)
    assert pulling_away((codes - 0.1 * slope).detach()) < pulling_away(codes.detach())


class Half(nn.Module):
    """A decoder that halves its input."""

    def forward(self, code: Tensor) -> Tensor:
        return code / 2


def ebgan(*overrides: str) -> EBGAN:
    gan = make_gan("ebgan", *overrides)
    assert isinstance(gan, EBGAN)
    return gan


def halving(*overrides: str) -> EBGAN:
    """Return an EBGAN whose energy is half the norm of a sample."""
    gan = ebgan(*overrides)
    gan.encoder, gan.decoder = Encoder(nn.Identity(), 2), Half()
    return gan


POINTS = torch.tensor([[6.0, 8.0], [0.0, 2.0], [0.0, 0.0]])


def test_energy_is_the_norm_of_the_error_of_each_sample() -> None:
    gan = halving()
    torch.testing.assert_close(gan.energy(POINTS, POINTS), torch.tensor([5.0, 1.0, 0.0]))
    torch.testing.assert_close(gan.discriminate(POINTS), -torch.tensor([5.0, 1.0, 0.0]))
    images = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4).float()
    expected = torch.stack([image.norm() / 2 for image in images])
    torch.testing.assert_close(gan.energy(images, images), expected)


def test_generated_samples_above_the_margin_have_no_gradient() -> None:
    gan = halving("model.margin=4")
    real = torch.tensor([[2.0, 0.0]], requires_grad=True)
    data = torch.tensor([[2.0, 0.0], [7.0, 0.0], [9.0, 0.0]], requires_grad=True)
    loss = gan.discriminator_loss(Batch(real), Sample(data, gan.prior(3)))["energy"]
    assert loss.item() == pytest.approx(1 + (3 + 0.5 + 0) / 3)
    real_slope, slope = torch.autograd.grad(loss, (real, data))
    torch.testing.assert_close(real_slope, torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(slope[:, 0], torch.tensor([-1 / 6, -1 / 6, 0.0]))


def slopes(gan: EBGAN, loss: Tensor) -> dict[str, float]:
    gan.zero_grad()
    loss.backward()
    return {
        name: sum(
            0.0 if weight.grad is None else weight.grad.abs().sum().item()
            for weight in getattr(gan, name).parameters()
        )
        for name in ("generator", "encoder", "decoder")
    }


def test_both_generator_terms_have_a_gradient_in_the_generator() -> None:
    gan = ebgan("model.pulling_away_weight=0.5")
    fake, real = gan.generate_from_prior(8), Batch(torch.randn(8, 2))
    terms = gan.generator_loss(real, fake)
    code = gan.encoder(fake.data)
    torch.testing.assert_close(terms["energy"], (gan.decoder(code) - fake.data).norm(dim=1).mean())
    torch.testing.assert_close(terms["pulling_away"], 0.5 * pulling_away(code))
    for name in ("energy", "pulling_away"):
        found = slopes(gan, gan.generator_loss(real, gan.generate_from_prior(8))[name])
        assert found["generator"] > 0
    assert found["decoder"] == 0
    assert set(ebgan().generator_loss(real, fake)) == {"energy"}


def test_the_target_of_the_energy_is_not_detached() -> None:
    """The generator changes the sample, not only its reconstruction."""
    gan = halving()
    data = torch.tensor([[6.0, 8.0]], requires_grad=True)
    loss = gan.generator_loss(Batch(data), Sample(data, gan.prior(1)))["energy"]
    (slope,) = torch.autograd.grad(loss, data)
    # it would have the opposite sign if the target were detached
    torch.testing.assert_close(slope, torch.tensor([[0.3, 0.4]]))


def test_the_discriminator_trains_encoder_and_decoder() -> None:
    gan = ebgan()
    fake = gan.generate_from_prior(8).detach()
    found = slopes(gan, gan.discriminator_loss(Batch(torch.randn(8, 2)), fake)["energy"])
    assert found["encoder"] > 0
    assert found["decoder"] > 0
    assert found["generator"] == 0


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("margin", 0.0, "margin is 0.0; it must be positive"),
        ("pulling_away_weight", -1.0, "pulling_away_weight is -1.0; it must be at least 0"),
    ],
)
def test_values_out_of_range(key: str, value: float, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        check_settings(EBGAN.Config(**{key: value}))
