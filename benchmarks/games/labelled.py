"""GANs that are told something: AC-GAN, conditional, coupled, semi-supervised."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, softplus

from games.contract import Game, Given, Real, cross_entropies, numbers_of

__all__ = ["AuxiliaryClassifierGAN", "ConditionalGAN", "CoupledGAN", "SemiSupervisedGAN"]


class Labelled(Game):
    """A generator that is told a class, drawn evenly."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.score, self.classes = model.encoder, model.score, model.classes

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and its head."""
        return [self.encoder, self.score]

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> Given:
        """Classes, and noise with the classes one-hot."""
        labels = torch.randint(self.classes, (count,), generator=rng, device=real.data.device)
        noise = self.noise(count, real, rng)
        return Given(torch.cat([noise, one_hot(labels, self.classes).float()], 1), labels)


class ConditionalGAN(Labelled):
    """A discriminator that is told the class too."""

    def judge(self, data: Tensor, labels: Tensor | None) -> Tensor:
        """Return logits of being real data of these classes."""
        logits: Tensor = self.score(self.encoder(data, labels))
        return logits

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Both cross-entropies."""
        return cross_entropies(self.judge(real.data, real.labels), self.judge(fake, given.labels))

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The cross-entropy with the label of real data."""
        return softplus(-self.judge(fake, given.labels).float()).mean()


class CoupledGAN(ConditionalGAN):
    """A branch a domain of each player; without labelled data of a domain."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        if model.classify is not None or self.config.adversarial_weight != 1:
            raise ValueError("the coupled game by hand adapts no classifier")

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> Given:
        """Domains and noise."""
        labels = torch.randint(self.classes, (count,), generator=rng, device=real.data.device)
        return Given(self.noise(count, real, rng), labels)

    def generate(self, given: Given) -> Tensor:
        """Draw each datum in its domain."""
        data: Tensor = self.generator(given.inputs, given.labels)
        return data


class AuxiliaryClassifierGAN(Labelled):
    """A discriminator that says the class."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.classify = model.classify

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and both heads."""
        return [self.encoder, self.score, self.classify]

    def wrong(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Return the weighted cross-entropy of the classes."""
        assert labels is not None
        loss: Tensor = cross_entropy(self.classify(features).float(), labels)
        weight: float = self.config.class_weight
        return weight * loss

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The cross-entropies of source and class, of real and of generated data."""
        real_features, fake_features = self.encoder(real.data), self.encoder(fake)
        source = cross_entropies(self.score(real_features), self.score(fake_features))
        classes = self.wrong(real_features, real.labels) + self.wrong(fake_features, given.labels)
        return source + classes

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The cross-entropy with the label of real data, and with the class asked for."""
        features = self.encoder(fake)
        source = softplus(-self.score(features).float()).mean()
        return source + self.wrong(features, given.labels)


class SemiSupervisedGAN(Game):
    """A classifier whose log-sum-exp is the logit of being real; a generator of its features."""

    def options(self) -> dict[str, Any]:
        """The authors' weights."""
        return {"unlabelled_weight": 1.0}

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.classify = model.encoder, model.classify
        self.average, self.steps = model.averaged_classifier.module, 0

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and its head."""
        return [self.encoder, self.classify]

    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Wrong classes of labelled data, and half of both cross-entropies of the others."""
        assert real.few is not None
        data, labels = real.few
        together = torch.cat([data, real.data, fake])
        logits = self.classify(self.encoder(together)).float()
        known, unknown, generated = logits.split([len(data), len(real.data), len(fake)])
        source = cross_entropies(unknown.logsumexp(1), generated.logsumexp(1))
        return cross_entropy(known, labels) + 0.5 * source

    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """The mean squared difference of mean features."""
        features = self.encoder(torch.cat([real.data, fake])).float()
        real_features, fake_features = features.split([len(real.data), len(fake)])
        difference: Tensor = real_features.mean(0) - fake_features.mean(0)
        return difference.square().mean()

    @torch.no_grad()
    def after_discriminator_step(self) -> None:
        """Average the classifier's weights."""
        share = 1 - self.config.classifier_ema_decay if self.steps else 1.0
        self.steps += 1
        weights = numbers_of(nn.Sequential(self.encoder, self.classify))
        torch._foreach_lerp_(numbers_of(self.average), weights, share)
