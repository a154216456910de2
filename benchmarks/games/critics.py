"""Hand-written WGAN, WGAN-GP and DRAGAN."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import grad

from games.contract import GeneratorInput, Real
from games.standard import StandardGAN

__all__ = ["DRAGAN", "WGAN", "WGANGP"]


class Critic(StandardGAN):
    """Losses of a Wasserstein critic."""

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the negative estimate of the Wasserstein distance."""
        real_scores, fake_scores = self.discriminator(real.data), self.discriminator(fake)
        loss: Tensor = fake_scores.float().mean() - real_scores.float().mean()
        return loss

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the negative mean score."""
        loss: Tensor = -self.discriminator(fake).float().mean()
        return loss


class WGAN(Critic):
    """WGAN with weight clipping."""

    @torch.no_grad()
    def after_discriminator_step(self) -> None:
        """Clip the critic's weights."""
        for weights in self.discriminator.parameters():
            weights.clamp_(-self.config.clip, self.config.clip)


class WGANGP(Critic):
    """WGAN with a gradient penalty on interpolates between real and generated data."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.weight = self.config.regularisation.gradient_penalty

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the negative distance estimate plus the weighted penalty, in float32."""
        fraction = torch.rand(len(fake), device=fake.device).view(-1, *[1] * (fake.ndim - 1))
        interpolates = torch.lerp(real.data.float(), fake.float(), fraction).requires_grad_(True)
        penalty = norm_penalty(self.discriminator, interpolates)
        loss: Tensor = super().discriminator_loss(real, fake, inputs) + self.weight * penalty
        return loss


class DRAGAN(StandardGAN):
    """Standard GAN with a gradient penalty around real data."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.weight = self.config.regularisation.gradient_penalty

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the cross-entropies plus the weighted penalty, in float32."""
        data = real.data.float()
        noise = torch.rand(data.numel(), device=data.device).view(data.shape)
        share = torch.rand(len(data), device=data.device).view(-1, *[1] * (data.ndim - 1))
        deviation = (data.square().mean() - data.mean().square()).sqrt()
        points = (data + share * (0.5 * deviation * noise)).requires_grad_(True)
        penalty = norm_penalty(self.discriminator, points)
        loss: Tensor = super().discriminator_loss(real, fake, inputs) + self.weight * penalty
        return loss


def norm_penalty(discriminator: nn.Module, points: Tensor) -> Tensor:
    """Return the mean squared difference of the norms of gradients at points from 1, in float32."""
    with torch.autocast(points.device.type, enabled=False):
        scores = discriminator(points)
        (gradient,) = grad(scores.sum(), points, create_graph=True)
    penalty: Tensor = (gradient.reshape(len(scores), -1).norm(dim=1) - 1).square().mean()
    return penalty
