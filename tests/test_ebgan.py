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


def test_pulling_away_is_the_mean_over_all_pairs_of_two() -> None:
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


def test_pulling_away_forgets_the_length_of_a_code() -> None:
    lengths = torch.tensor([[0.1], [1.0], [2.0], [5.0], [100.0]])
    torch.testing.assert_close(pulling_away(lengths * CODES), pulling_away(CODES))
    coarse = CODES.bfloat16()
    assert torch.equal(pulling_away(coarse), pulling_away(coarse.float()))


def test_pulling_away_parts_two_codes() -> None:
    codes = torch.tensor([[1.0, 0.1], [1.0, -0.1]], requires_grad=True)
    (slope,) = torch.autograd.grad(pulling_away(codes), codes)
    assert pulling_away((codes - 0.1 * slope).detach()) < pulling_away(codes.detach())


class Half(nn.Module):
    """A decoder that gives back half of what it was given."""

    def forward(self, code: Tensor) -> Tensor:
        return code / 2


def ebgan(*overrides: str) -> EBGAN:
    learner = make_gan("ebgan", *overrides)
    assert isinstance(learner, EBGAN)
    return learner


def halving(*overrides: str) -> EBGAN:
    """An EBGAN whose energy is half the length of a datum."""
    learner = ebgan(*overrides)
    learner.encoder, learner.decoder = Encoder(nn.Identity(), 2), Half()
    return learner


POINTS = torch.tensor([[6.0, 8.0], [0.0, 2.0], [0.0, 0.0]])


def test_energy_is_the_length_of_the_error_of_each_datum() -> None:
    learner = halving()
    torch.testing.assert_close(learner.energy(POINTS, POINTS), torch.tensor([5.0, 1.0, 0.0]))
    torch.testing.assert_close(learner.discriminate(POINTS), -torch.tensor([5.0, 1.0, 0.0]))
    images = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4).float()
    expected = torch.stack([image.norm() / 2 for image in images])
    torch.testing.assert_close(learner.energy(images, images), expected)


def test_the_discriminator_leaves_generated_data_beyond_its_margin_alone() -> None:
    learner = halving("model.margin=4")
    real = torch.tensor([[2.0, 0.0]], requires_grad=True)
    data = torch.tensor([[2.0, 0.0], [7.0, 0.0], [9.0, 0.0]], requires_grad=True)
    loss = learner.discriminator_loss(Batch(real), Sample(data, learner.prior(3)))["energy"]
    assert loss.item() == pytest.approx(1 + (3 + 0.5 + 0) / 3)
    real_slope, slope = torch.autograd.grad(loss, (real, data))
    torch.testing.assert_close(real_slope, torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(slope[:, 0], torch.tensor([-1 / 6, -1 / 6, 0.0]))


def slopes(learner: EBGAN, loss: Tensor) -> dict[str, float]:
    learner.zero_grad()
    loss.backward()
    return {
        name: sum(
            0.0 if weight.grad is None else weight.grad.abs().sum().item()
            for weight in getattr(learner, name).parameters()
        )
        for name in ("generator", "encoder", "decoder")
    }


def test_the_generators_terms_have_a_gradient_in_the_generator() -> None:
    learner = ebgan("model.pulling_away_weight=0.5")
    fake, real = learner.generate_from_prior(8), Batch(torch.randn(8, 2))
    terms = learner.generator_loss(real, fake)
    code = learner.encoder(fake.data)
    torch.testing.assert_close(
        terms["energy"], (learner.decoder(code) - fake.data).norm(dim=1).mean()
    )
    torch.testing.assert_close(terms["pulling_away"], 0.5 * pulling_away(code))
    for name in ("energy", "pulling_away"):
        found = slopes(learner, learner.generator_loss(real, learner.generate_from_prior(8))[name])
        assert found["generator"] > 0
    assert found["decoder"] == 0
    assert set(ebgan().generator_loss(real, fake)) == {"energy"}


def test_the_energys_target_is_not_detached() -> None:
    """The generator moves the datum, not only what the autoencoder makes of it."""
    learner = halving()
    data = torch.tensor([[6.0, 8.0]], requires_grad=True)
    loss = learner.generator_loss(Batch(data), Sample(data, learner.prior(1)))["energy"]
    (slope,) = torch.autograd.grad(loss, data)
    torch.testing.assert_close(slope, torch.tensor([[0.3, 0.4]]))  # and minus that if it were


def test_both_halves_are_the_discriminators() -> None:
    learner = ebgan()
    fake = learner.generate_from_prior(8).detach()
    found = slopes(learner, learner.discriminator_loss(Batch(torch.randn(8, 2)), fake)["energy"])
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
