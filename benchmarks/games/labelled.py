"""Hand-written GANs with labels: AC-GAN, conditional, coupled, semi-supervised."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, softplus

from games.contract import Game, GeneratorInput, Real, averaged_tensors, cross_entropies

__all__ = ["AuxiliaryClassifierGAN", "ConditionalGAN", "CoupledGAN", "SemiSupervisedGAN"]


class Labelled(Game):
    """GAN whose generator takes a class as input, sampled uniformly."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.score, self.classes = model.encoder, model.score, model.classes

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and its head."""
        return [self.encoder, self.score]

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> GeneratorInput:
        """Sample classes and noise, and concatenate the noise with the one-hot classes."""
        labels = torch.randint(self.classes, (count,), generator=rng, device=real.data.device)
        noise = self.noise(count, real, rng)
        return GeneratorInput(torch.cat([noise, one_hot(labels, self.classes).float()], 1), labels)


class ConditionalGAN(Labelled):
    """GAN whose discriminator takes the class as input too."""

    def discriminate(self, data: Tensor, labels: Tensor | None) -> Tensor:
        """Return the discriminator's logits for data and their classes."""
        logits: Tensor = self.score(self.encoder(data, labels))
        return logits

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the cross-entropies of real and generated data."""
        real_logits = self.discriminate(real.data, real.labels)
        return cross_entropies(real_logits, self.discriminate(fake, inputs.labels))

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the non-saturating loss."""
        return softplus(-self.discriminate(fake, inputs.labels).float()).mean()


class CoupledGAN(ConditionalGAN):
    """Coupled GAN: one branch of each player per domain."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        if model.classify is not None or self.config.adversarial_weight != 1:
            raise ValueError("the hand-written CoupledGAN does not support domain adaptation")

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> GeneratorInput:
        """Sample domains and noise."""
        labels = torch.randint(self.classes, (count,), generator=rng, device=real.data.device)
        return GeneratorInput(self.noise(count, real, rng), labels)

    def generate(self, inputs: GeneratorInput) -> Tensor:
        """Generate each sample in its domain."""
        data: Tensor = self.generator(inputs.tensor, inputs.labels)
        return data


class AuxiliaryClassifierGAN(Labelled):
    """AC-GAN: a discriminator with an auxiliary classifier."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.classify = model.classify

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and both heads."""
        return [self.encoder, self.score, self.classify]

    def class_loss(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Return the weighted cross-entropy of the predicted classes."""
        assert labels is not None
        loss: Tensor = cross_entropy(self.classify(features).float(), labels)
        weight: float = self.config.class_weight
        return weight * loss

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the adversarial loss plus the class losses of real and generated data."""
        real_features, fake_features = self.encoder(real.data), self.encoder(fake)
        adversarial = cross_entropies(self.score(real_features), self.score(fake_features))
        real_class_loss = self.class_loss(real_features, real.labels)
        return adversarial + (real_class_loss + self.class_loss(fake_features, inputs.labels))

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the non-saturating loss plus the class loss."""
        features = self.encoder(fake)
        adversarial = softplus(-self.score(features).float()).mean()
        return adversarial + self.class_loss(features, inputs.labels)


class SemiSupervisedGAN(Game):
    """Classifier whose log-sum-exp is the logit of real data; generator with feature matching."""

    def supported_options(self) -> dict[str, Any]:
        """The authors' loss weights."""
        return {"unlabelled_weight": 1.0}

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.encoder, self.classify = model.encoder, model.classify
        self.average, self.steps = model.averaged_classifier.module, 0

    def discriminator_players(self) -> list[nn.Module]:
        """The encoder and its head."""
        return [self.encoder, self.classify]

    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the class loss of labelled data plus half of the adversarial loss."""
        assert real.labelled is not None
        data, labels = real.labelled
        batch = torch.cat([data, real.data, fake])
        logits = self.classify(self.encoder(batch)).float()
        labelled, unlabelled, generated = logits.split([len(data), len(real.data), len(fake)])
        adversarial = cross_entropies(unlabelled.logsumexp(1), generated.logsumexp(1))
        return cross_entropy(labelled, labels) + 0.5 * adversarial

    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the mean squared difference of the mean features."""
        features = self.encoder(torch.cat([real.data, fake])).float()
        real_features, fake_features = features.split([len(real.data), len(fake)])
        difference: Tensor = real_features.mean(0) - fake_features.mean(0)
        return difference.square().mean()

    @torch.no_grad()
    def after_discriminator_step(self) -> None:
        """Update the exponential moving average of the classifier."""
        weight = 1 - self.config.classifier_ema_decay if self.steps else 1.0
        self.steps += 1
        tensors = averaged_tensors(nn.Sequential(self.encoder, self.classify))
        torch._foreach_lerp_(averaged_tensors(self.average), tensors, weight)
