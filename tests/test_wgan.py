"""Critics with weight clipping or gradient penalty, and their five steps per round."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from factories import make_config, make_gan, quiet_trainer
from pytorch_lightning import Callback
from torch import Tensor

from gan_lightning.gans import GAN, WGAN, WGANGP
from gan_lightning.gans.gradient_penalties import gradient_norms
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import check_settings

CRITICS = pytest.mark.parametrize("model", ["wgan", "wgan_gp"])


class WeightRecorder(Callback):
    """Record the largest weight of both networks before each optimizer step and at the end."""

    def __init__(self) -> None:
        self.largest: list[tuple[int, float, float]] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.record(pl_module, trainer.optimizers.index(optimizer))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self.record(pl_module, -1)

    def record(self, gan: Any, player: int) -> None:
        critic, generator = (
            max(weight.abs().max().item() for weight in network.parameters())
            for network in (gan.discriminator, gan.generator)
        )
        self.largest.append((player, critic, generator))


@pytest.mark.parametrize("clip", [0.01, 0.05])
@pytest.mark.parametrize("options", [(), ("network.minibatch_kernels=3",)], ids=str)
def test_only_the_critics_weights_are_clipped_after_each_step(
    clip: float, options: tuple[str, ...]
) -> None:
    rate = "model.discriminator_optimizer.learning_rate=0.1"
    gan, data = build(make_config("wgan", f"model.clip={clip}", rate, *options))
    steps = WeightRecorder()
    quiet_trainer(callbacks=[steps]).fit(gan, datamodule=data)
    assert [player for player, _, _ in steps.largest] == ([0] * 5 + [1]) * 6 + [-1]
    first, *later = steps.largest
    assert first[1] > clip
    for _, critic, generator in later:
        assert critic == pytest.approx(clip, rel=1e-6)  # so large a step reaches the bound
        assert generator > clip


def test_the_penalised_critic_is_not_clipped() -> None:
    gan, data = build(make_config("wgan_gp"))
    steps = WeightRecorder()
    quiet_trainer(callbacks=[steps]).fit(gan, datamodule=data)
    assert min(critic for _, critic, _ in steps.largest) > 0.1


@CRITICS
def test_each_of_five_critic_steps_has_its_own_data_and_noise(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = {"name": "ring", "points": 240, "batch_size": 8}
    gan, data = build(make_config(model, data=ring))
    assert isinstance(gan, GAN)
    seen: list[tuple[Tensor, Tensor | None]] = []
    loss = gan.discriminator_loss

    def watched(real: Batch, fake: Sample) -> Any:
        seen.append((real.data, fake.condition.latent))
        assert not fake.data.requires_grad
        return loss(real, fake)

    monkeypatch.setattr(gan, "discriminator_loss", watched)
    quiet_trainer().fit(gan, datamodule=data)
    assert len(seen) == 6 * 5
    for minibatches in zip(*seen, strict=True):
        rows = torch.cat(minibatches)
        assert len(rows) == 240
        assert len(rows.unique(dim=0)) == 240


def test_defaults_are_the_papers() -> None:
    clipped, penalised = WGAN.Config(), WGANGP.Config()
    for config_ in (clipped, penalised):
        assert config_.discriminator_steps == 5
    for optimizer in (clipped.discriminator_optimizer, clipped.generator_optimizer):
        assert (optimizer.name, optimizer.learning_rate) == ("rmsprop", 5e-5)
    assert clipped.clip == 0.01
    assert clipped.regularisation.gradient_penalty == 0
    for optimizer in (penalised.discriminator_optimizer, penalised.generator_optimizer):
        assert (optimizer.name, optimizer.learning_rate) == ("adam", 1e-4)
        assert optimizer.betas == [0.0, 0.9]
    assert penalised.regularisation.gradient_penalty == 10
    assert not penalised.regularisation.one_sided
    found = make_gan("wgan").configure_optimizers()
    assert all(isinstance(optimizer, torch.optim.RMSprop) for optimizer in found)


@CRITICS
def test_losses_are_differences_of_mean_scores(model: str) -> None:
    gan = make_gan(model)
    batch, fake = Batch(torch.randn(6, 2)), gan.generate_from_prior(6)
    real_scores, fake_scores = gan.discriminate(batch.data), gan.discriminate(fake.data)
    terms = gan.discriminator_loss(batch, fake.detach())
    torch.testing.assert_close(terms["adversarial"], fake_scores.mean() - real_scores.mean())
    torch.testing.assert_close(gan.generator_loss(batch, fake)["adversarial"], -fake_scores.mean())
    found = gan.estimate_divergence(torch.tensor([3.0, 5.0]), torch.tensor([1.0]))
    assert found["divergence/wasserstein"].item() == 3


def test_the_penalty_keeps_the_gradient_norm_near_1() -> None:
    slopes = {}
    for weight in (0, 10):
        words = (
            "model.discriminator_optimizer.learning_rate=0.02",
            f"model.regularisation.gradient_penalty={weight}",
            "trainer.max_updates=40",
        )
        gan, data = build(make_config("wgan_gp", *words))
        assert isinstance(gan, GAN)
        quiet_trainer().fit(gan, datamodule=data)
        norms = gradient_norms(gan.discriminate, gan.sample(64, seed=0).data)
        slopes[weight] = norms.mean().item()
    assert slopes[10] == pytest.approx(1, abs=0.3)
    assert slopes[0] > 3


@pytest.mark.parametrize("clip", [0.0, -1.0])
def test_the_clip_must_be_positive(clip: float) -> None:
    with pytest.raises(ValueError, match=f"clip is {clip}; it must be positive"):
        check_settings(WGAN.Config(clip=clip))
