"""Critics: WGAN, clipped, and WGAN-GP, penalised."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import grad

from games.contract import Given, Real
from games.standard import StandardGAN

__all__ = ["WGAN", "WGANGP"]


class Critic(StandardGAN):
    """Scores without a bound."""

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Minus the estimated distance."""
        real_scores, fake_scores = self.discriminator(real.data), self.discriminator(fake)
        loss: Tensor = fake_scores.float().mean() - real_scores.float().mean()
        return loss

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Minus the mean score."""
        loss: Tensor = -self.discriminator(fake).float().mean()
        return loss


class WGAN(Critic):
    """Held by its weights' bounds."""

    @torch.no_grad()
    def after_discriminator_step(self) -> None:
        """Clip."""
        for weights in self.discriminator.parameters():
            weights.clamp_(-self.config.clip, self.config.clip)


class WGANGP(Critic):
    """Held by the norm of its gradient, between real and generated data."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.weight = self.config.regularisation.gradient_penalty

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Minus the estimated distance, and the weighted penalty, in float32."""
        place = torch.rand(len(fake), device=fake.device).view(-1, *[1] * (fake.ndim - 1))
        between = torch.lerp(real.data.float(), fake.float(), place).requires_grad_(True)
        with torch.autocast(fake.device.type, enabled=False):
            scores = self.discriminator(between)
            (slopes,) = grad(scores.sum(), between, create_graph=True)
        penalty = (slopes.reshape(len(scores), -1).norm(dim=1) - 1).square().mean()
        loss: Tensor = super().discriminator_loss(real, fake, given) + self.weight * penalty
        return loss
