"""Hand-written GANs without labels: standard, unrolled, autoencoding and projected."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, one_hot, relu, softplus

from games.contract import Game, GeneratorInput, Real, cross_entropies, uniform
from gan_lightning.gans.augmentation import random_affine
from gan_lightning.gans.differentiable_optim import Weights, unroll
from gan_lightning.losses import shared_information

__all__ = ["BEGAN", "EBGAN", "InfoGAN", "ProjectedGAN", "StandardGAN", "UnrolledGAN"]


class StandardGAN(Game):
    """Standard GAN, non-saturating or minimax."""

    objectives: ClassVar[tuple[str, ...]] = ("non_saturating", "minimax")

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.discriminator = model.discriminator

    def discriminator_players(self) -> list[nn.Module]:
        """The discriminator."""
        return [self.discriminator]

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the cross-entropies of real and generated data."""
        return cross_entropies(self.discriminator(real.data), self.discriminator(fake))

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the non-saturating or the minimax loss."""
        logits = self.discriminator(fake).float()
        if self.config.objective == "minimax":
            return -softplus(logits).mean()
        return softplus(-logits).mean()


class UnrolledGAN(StandardGAN):
    """Minimax loss against the discriminator after K further steps.

    `unroll` is the framework's function; its tests compare it with hand-written steps.
    """

    objectives = ("minimax",)
    optimizer: torch.optim.Optimizer

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the negative loss of the unrolled discriminator."""

        def loss(weights: Weights) -> Tensor:
            scores = [
                functional_call(self.discriminator, weights, (data.float(),))
                for data in (real.data, fake)
            ]
            return cross_entropies(*scores)

        weights = dict(self.discriminator.named_parameters())
        return -loss(unroll(weights, self.optimizer, loss, self.config.unrolled_steps))


class InfoGAN(Game):
    """InfoGAN with one categorical code and continuous codes of variance 1.

    `random_affine` and `shared_information` are the framework's functions.
    """

    def supported_options(self) -> dict[str, Any]:
        """Both players minimise the information loss."""
        return {"reward": True}

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.score, self.recognition = model.encoder, model.score, model.recognition
        (self.categories,) = self.config.categorical_codes
        self.continuous = self.config.continuous_codes

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and both heads."""
        return [self.encoder, self.score, self.recognition]

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> GeneratorInput:
        """Sample noise, a uniform category and uniform continuous codes."""
        latent = self.noise(count, real, rng)
        size, device = self.categories, real.data.device
        category = torch.randint(size, (count,), generator=rng, device=device)
        continuous = uniform((count, self.continuous), real, rng)
        tensor = torch.cat([latent, one_hot(category, size).float(), continuous], 1)
        return GeneratorInput(tensor, category=category, continuous=continuous)

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the adversarial loss plus the information loss."""
        real_features = self.encoder(real.data)
        features = self.encoder(fake)
        adversarial = cross_entropies(self.score(real_features), self.score(features))
        loss = adversarial + self.information_loss(features, inputs)
        if self.config.consistency_weight:
            before, after = (
                self.recognition(features)[:, : self.categories]
                for features in (real_features, self.encoder(random_affine(real.data)))
            )
            loss = loss - self.config.consistency_weight * shared_information(before, after)
        return loss

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the non-saturating loss plus the information loss."""
        features = self.encoder(fake)
        adversarial = softplus(-self.score(features).float()).mean()
        return adversarial + self.information_loss(features, inputs)

    def information_loss(self, features: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the weighted negative log-likelihood of the codes under Q."""
        assert inputs.category is not None
        assert inputs.continuous is not None
        recognised = self.recognition(features).float()
        logits, mean = recognised.split([self.categories, self.continuous], 1)
        error = (inputs.continuous - mean).square() + math.log(2 * math.pi)
        gaussian = 0.5 * error.sum(dim=1).mean()
        loss: Tensor = self.config.information_weight * cross_entropy(logits, inputs.category)
        loss = loss + self.config.continuous_information_weight * gaussian
        return loss


class BEGAN(Game):
    """BEGAN: an autoencoder, and a controller that balances the players."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.decoder = model.encoder, model.decoder
        self.k, self.convergence = model.k, model.convergence
        self.losses: dict[str, Tensor] = {}

    def discriminator_players(self) -> list[nn.Module]:
        """Both halves of the autoencoder."""
        return [self.encoder, self.decoder]

    def error(self, data: Tensor) -> Tensor:
        """Return the mean absolute error of the autoencoder."""
        loss: Tensor = (self.decoder(self.encoder(data)).float() - data.float()).abs().mean()
        return loss

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the error of real data minus k times that of generated data."""
        error = self.error(real.data)
        self.losses["real"] = error.detach()
        loss: Tensor = error - self.k * self.error(fake)
        return loss

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the error of generated data."""
        error = self.error(fake)
        self.losses["generated"] = error.detach()
        return error

    @torch.no_grad()
    def after_generator_step(self) -> None:
        """Move k, and the moving average of the generator."""
        super().after_generator_step()
        real, generated = self.losses["real"], self.losses["generated"]
        imbalance = self.config.diversity_ratio * real - generated
        self.convergence.copy_(real + imbalance.abs())
        self.k.add_(self.config.proportional_gain * imbalance).clamp_(0, 1)


class EBGAN(Game):
    """EBGAN: an autoencoder with a margin, optionally with the pulling-away term."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.decoder = model.encoder, model.decoder

    def discriminator_players(self) -> list[nn.Module]:
        """Both halves of the autoencoder."""
        return [self.encoder, self.decoder]

    def energy(self, data: Tensor, code: Tensor) -> Tensor:
        """Return the Euclidean norm of the reconstruction error of each sample, (N,)."""
        error: Tensor = self.decoder(code).float() - data.float()
        norms: Tensor = error.flatten(1).norm(dim=1)
        return norms

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the energy of real data plus the hinge of generated data at the margin."""
        energy = self.energy(real.data, self.encoder(real.data))
        hinge = relu(self.config.margin - self.energy(fake, self.encoder(fake)))
        return energy.mean() + hinge.mean()

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the energy of generated data plus the weighted pulling-away term."""
        code = self.encoder(fake)
        loss: Tensor = self.energy(fake, code).mean()
        if not self.config.pulling_away_weight:
            return loss
        directions = nn.functional.normalize(code.float(), dim=1)
        squares = (directions @ directions.T).square()
        pairs = len(code) * (len(code) - 1)
        pulling_away: Tensor = (squares.sum() - squares.diagonal().sum()) / pairs
        loss = loss + self.config.pulling_away_weight * pulling_away
        return loss


class ProjectedGAN(Game):
    """Projected GAN: the hinge loss of four discriminators of pretrained features."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.features, self.discriminator = model.features, model.discriminator

    def discriminator_players(self) -> list[nn.Module]:
        """The four discriminators."""
        return [self.discriminator]

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the sum of the hinge losses."""
        losses = []
        for scores in self.discriminator(self.features(torch.cat([real.data, fake]))):
            real_scores, fake_scores = scores.float().split(len(fake))
            losses.append(relu(1 - real_scores).mean() + relu(1 + fake_scores).mean())
        return torch.stack(losses).sum()

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return minus the sum of the mean scores."""
        scores = self.discriminator(self.features(fake))
        return -torch.stack([part.float().mean() for part in scores]).sum()
