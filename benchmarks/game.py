"""The game that the loops by hand play: the networks of an experiment, and plain arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from gan_lightning.gans.gan import StandardGAN
from gan_lightning.gans.infogan import InfoGAN
from gan_lightning.learner import Learner

__all__ = ["Game", "game_of"]

Codes = tuple[Tensor, Tensor]
"""Of InfoGAN: a category (N,) int64, and continuous codes (N, D) in [-1, 1]."""


class Discriminator(nn.Module):
    """An encoder with a real/fake head and, for InfoGAN, a recognition head."""

    def __init__(self, encoder: nn.Module, score: nn.Module, recognition: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.score, self.recognition = encoder, score, recognition

    def forward(self, data: Tensor, recognise: bool = True) -> tuple[Tensor, Tensor | None]:
        """Map data, shape (N, *shape), to logits (N,) and what it reads of the codes."""
        features = self.encoder(data)
        if self.recognition is None or not recognise:
            return self.score(features), None
        return self.score(features), self.recognition(features)


@dataclass(frozen=True)
class Game:
    """Players and rules, as a script would have them: no class of the framework takes part.

    Args:
        latent_size: length of the noise vector, uniform on [-1, 1] or standard normal.
        categories: of InfoGAN's categorical code; 0 for the standard GAN.
        continuous_codes: number of InfoGAN's continuous codes.
        continuous_weight: of their likelihood; the category's is 1.
    """

    generator: nn.Module
    discriminator: Discriminator
    latent_size: int
    normal: bool
    categories: int = 0
    continuous_codes: int = 0
    continuous_weight: float = 0.0

    def prior(
        self, count: int, rng: torch.Generator | None, device: torch.device
    ) -> tuple[Tensor, Codes | None]:
        """Draw the generator's inputs, shape (count, inputs), and the codes among them."""
        draw = torch.randn if self.normal else torch.rand
        latent = draw(count, self.latent_size, generator=rng, device=device)
        if not self.normal:
            latent = latent.mul_(2).sub_(1)
        if not self.categories:
            return latent, None
        category = torch.randint(self.categories, (count,), generator=rng, device=device)
        continuous = torch.rand(count, self.continuous_codes, generator=rng, device=device)
        continuous = continuous.mul_(2).sub_(1)
        inputs = torch.cat([latent, one_hot(category, self.categories).float(), continuous], 1)
        return inputs, (category, continuous)

    def information(self, recognised: Tensor | None, codes: Codes | None) -> Tensor | float:
        """Return Q's weighted negative log-likelihood of the codes; 0 for the standard GAN."""
        if recognised is None or codes is None:
            return 0.0
        category, continuous = codes
        logits, mean = recognised.float().split([self.categories, self.continuous_codes], 1)
        error = (continuous - mean).square() + math.log(2 * math.pi)
        gaussian = 0.5 * error.sum(dim=1).mean()
        loss: Tensor = cross_entropy(logits, category) + self.continuous_weight * gaussian
        return loss


def game_of(learner: Learner) -> Game:
    """Take the networks of a freshly built model.

    Raises:
        ValueError: the loops by hand do not play this game.
    """
    if isinstance(learner, StandardGAN):
        encoder, score = learner.discriminator.children()
        objective, information, recognition = learner.config.objective, 1.0, None
        codes = (0, 0, 0.0)
    elif (
        isinstance(learner, InfoGAN)
        and len(learner.config.categorical_codes) == 1
        and learner.config.reward
    ):
        encoder, score, recognition = learner.encoder, learner.score, learner.recognition
        objective, information = "non_saturating", learner.config.information_weight
        codes = (
            learner.config.categorical_codes[0],
            learner.config.continuous_codes,
            learner.config.continuous_information_weight,
        )
    else:
        raise ValueError(f"{type(learner).__name__} has no loop by hand; use InfoGAN, StandardGAN")
    config = learner.config
    extras = (objective, information, config.discriminator_steps, config.ema_decay)
    if extras != ("non_saturating", 1.0, 1, None):
        raise ValueError(f"the loops by hand lack an option of this experiment: {extras}")
    discriminator = Discriminator(encoder, score, recognition)
    normal = config.latent_prior == "normal"
    return Game(learner.generator, discriminator, config.latent_size, normal, *codes)
