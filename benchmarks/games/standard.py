"""GANs without labels: the standard one, InfoGAN, EBGAN, unrolled, pix2pix."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, l1_loss, one_hot, relu, softplus

from games.contract import Game, Given, Real, cross_entropies, uniform
from gan_lightning.gans.augmentation import affine
from gan_lightning.gans.differentiable_optim import Weights, unroll
from gan_lightning.losses import shared_information

__all__ = ["EBGAN", "InfoGAN", "Pix2Pix", "StandardGAN", "UnrolledGAN"]


class StandardGAN(Game):
    """Non-saturating or minimax."""

    objectives: ClassVar[tuple[str, ...]] = ("non_saturating", "minimax")

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.discriminator = model.discriminator

    def discriminator_players(self) -> list[nn.Module]:
        """The discriminator."""
        return [self.discriminator]

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Both cross-entropies."""
        return cross_entropies(self.discriminator(real.data), self.discriminator(fake))

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The cross-entropy with the label of real data, or minus the one of generated."""
        logits = self.discriminator(fake).float()
        if self.config.objective == "minimax":
            return -softplus(logits).mean()
        return softplus(-logits).mean()


class UnrolledGAN(StandardGAN):
    """Minimax against the discriminator of K steps later.

    The steps are the framework's own function, tested against steps by hand elsewhere.
    """

    objectives = ("minimax",)
    optimizer: torch.optim.Optimizer

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Minus the discriminator's loss after its answer."""

        def loss(weights: Weights) -> Tensor:
            scores = [
                functional_call(self.discriminator, weights, (data.float(),))
                for data in (real.data, fake)
            ]
            return cross_entropies(*scores)

        weights = dict(self.discriminator.named_parameters())
        return -loss(unroll(weights, self.optimizer, loss, self.config.unrolled_steps))


class InfoGAN(Game):
    """One categorical code, and continuous ones of variance 1.

    The change of images and the information of categories are the framework's own functions.
    """

    def options(self) -> dict[str, Any]:
        """Both players are rewarded."""
        return {"reward": True}

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.score, self.recognition = model.encoder, model.score, model.recognition
        (self.categories,) = self.config.categorical_codes
        self.continuous = self.config.continuous_codes

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and both heads."""
        return [self.encoder, self.score, self.recognition]

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> Given:
        """Noise, an even category, and uniform codes."""
        latent = self.noise(count, real, rng)
        size, device = self.categories, real.data.device
        category = torch.randint(size, (count,), generator=rng, device=device)
        continuous = uniform((count, self.continuous), real, rng)
        inputs = torch.cat([latent, one_hot(category, size).float(), continuous], 1)
        return Given(inputs, category=category, continuous=continuous)

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Both cross-entropies, and what Q cannot read."""
        real_features = self.encoder(real.data)
        features = self.encoder(fake)
        game = cross_entropies(self.score(real_features), self.score(features))
        loss = game + self.unread(features, given)
        if self.config.consistency_weight:
            before, after = (
                self.recognition(features)[:, : self.categories]
                for features in (real_features, self.encoder(affine(real.data)))
            )
            loss = loss - self.config.consistency_weight * shared_information(before, after)
        return loss

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The cross-entropy with the label of real data, and what Q cannot read."""
        features = self.encoder(fake)
        game = softplus(-self.score(features).float()).mean()
        return game + self.unread(features, given)

    def unread(self, features: Tensor, given: Given) -> Tensor:
        """Return Q's weighted negative log-likelihood of the codes."""
        assert given.category is not None
        assert given.continuous is not None
        recognised = self.recognition(features).float()
        logits, mean = recognised.split([self.categories, self.continuous], 1)
        error = (given.continuous - mean).square() + math.log(2 * math.pi)
        gaussian = 0.5 * error.sum(dim=1).mean()
        loss: Tensor = self.config.information_weight * cross_entropy(logits, given.category)
        loss = loss + self.config.continuous_information_weight * gaussian
        return loss


class EBGAN(Game):
    """An autoencoder with a margin, and the pulling-away term where it weighs."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.decoder = model.encoder, model.decoder

    def discriminator_players(self) -> list[nn.Module]:
        """Both halves of the autoencoder."""
        return [self.encoder, self.decoder]

    def energy(self, data: Tensor, code: Tensor) -> Tensor:
        """Return the Euclidean norm of each datum's error, (N,)."""
        error: Tensor = self.decoder(code).float() - data.float()
        norms: Tensor = error.flatten(1).norm(dim=1)
        return norms

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The energy of real data, and what generated data lack of the margin."""
        energy = self.energy(real.data, self.encoder(real.data))
        lacking = relu(self.config.margin - self.energy(fake, self.encoder(fake)))
        return energy.mean() + lacking.mean()

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The energy of generated data, and the mean squared cosine of their codes."""
        code = self.encoder(fake)
        loss: Tensor = self.energy(fake, code).mean()
        if not self.config.pulling_away_weight:
            return loss
        directions = nn.functional.normalize(code.float(), dim=1)
        squares = (directions @ directions.T).square()
        others = len(code) * (len(code) - 1)
        away: Tensor = (squares.sum() - squares.diagonal().sum()) / others
        loss = loss + self.config.pulling_away_weight * away
        return loss


class Pix2Pix(StandardGAN):
    """The game on pairs, and the L1 distance from the target."""

    objectives = ("non_saturating",)

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> Given:
        """The sources of the minibatch."""
        assert real.source is not None
        return Given(real.source)

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Half of both cross-entropies."""
        pairs = [torch.cat([given.inputs, data], 1) for data in (real.data, fake)]
        return 0.5 * cross_entropies(*map(self.discriminator, pairs))

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The cross-entropy with the label of real pairs, and the weighted distance."""
        logits = self.discriminator(torch.cat([given.inputs, fake], 1))
        game = self.config.adversarial_weight * softplus(-logits.float()).mean()
        loss: Tensor = game + self.config.l1_weight * l1_loss(fake.float(), real.data)
        return loss
