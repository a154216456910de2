"""InfoGAN: a GAN with interpretable codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_lightning import losses
from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_gather
from gan_lightning.gans.augmentation import random_affine
from gan_lightning.gans.base import GAN
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.controls import Choice, Control, Slider
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["InfoGAN", "InfoGANConfig", "Recognition"]

CODE_LIMIT = 2.0
"""Continuous codes are shown from -2 to 2 as in the paper's figure 2; the prior is [-1, 1]."""


@dataclass
class InfoGANConfig(AdversarialConfig):
    """Config of InfoGAN; the defaults are the paper's for MNIST."""

    latent_size: int = 62
    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=2e-4)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    categorical_codes: list[int] = setting(
        [10], "Number of categories of each categorical code.", minimum=2
    )
    continuous_codes: int = setting(
        2, "Number of continuous codes, each uniform on [-1, 1].", minimum=0
    )
    information_weight: float = setting(
        1.0, "lambda: weight of the information term of the categorical codes.", minimum=0
    )
    continuous_information_weight: float = setting(
        1.0, "lambda of the continuous codes.", minimum=0
    )
    consistency_weight: float = setting(
        0.0,
        "Weight of the mutual information of the categories of real images and of affine copies.",
        minimum=0,
    )
    reward: bool = setting(
        True,
        "Whether encoder and generator minimise the information term; false is the paper's "
        "control, in which only Q's head does.",
    )

    def validate(self) -> None:
        """Check that there is a code, and a categorical one for the consistency term.

        Raises:
            ValueError: there is none.
        """
        super().validate()
        if not self.categorical_codes and not self.continuous_codes:
            raise ValueError(
                "categorical_codes is [] and continuous_codes is 0; InfoGAN needs one code or more"
            )
        if self.consistency_weight and not self.categorical_codes:
            raise ValueError(
                f"consistency_weight is {self.consistency_weight}, and its term needs a "
                f"categorical code: set it to 0, or set categorical_codes"
            )


class Recognition(NamedTuple):
    """The distribution Q(c | x) of the codes of samples.

    Attributes:
        categorical: logits of each categorical code, each (N, its categories).
        continuous: means of the continuous codes, (N, continuous codes); their variance is 1.
    """

    categorical: tuple[Tensor, ...]
    continuous: Tensor


class InfoGAN(GAN):
    """InfoGAN: a GAN that maximises a bound of the mutual information of codes and samples.

    The generator takes categorical and continuous codes in addition to noise. Q, which recognises
    the codes of a sample, is a second head on the discriminator's encoder. The negative
    log-likelihood of the codes under Q, weighted by lambda, is a loss of both players (equation 6):
    the discriminator's step trains Q and the encoder with it, the generator's step trains the
    generator. The score head has no gradient from it. With `reward=False` only Q's head is trained
    with it, which makes the model a standard GAN with codes in its input.

    With a `consistency_weight` Q learns from real images, too: the mutual information of their
    categories and of those of randomly rotated, sheared, scaled and shifted copies is maximised. So
    a category becomes what such maps do not change, which for digits is the digit.

    Source: Chen et al. 2016 (arXiv:1606.03657), equations 5 and 6. Consistency term: Ji, Henriques,
        Vedaldi 2019 (arXiv:1807.06653), equation 3.
    Deviations: the variance of Q's Gaussians is fixed at 1, as in the authors' MNIST code. The
        consistency term is not in the InfoGAN paper; it is off by default.
    """

    Config: ClassVar[type[Any]] = InfoGANConfig
    config: InfoGANConfig

    def condition_fields(self) -> tuple[str, ...]:
        """Return the latent and the codes."""
        return ("latent", "categorical", "continuous")

    def evaluators(self) -> tuple[str, ...]:
        """Return the base's, and what the codes represent."""
        return (*super().evaluators(), "codes")

    def controls(self, class_names: Sequence[str] = ()) -> tuple[Control, ...]:
        """Return a choice for each categorical code and a slider for each continuous one."""
        sizes = self.config.categorical_codes
        controls: list[Control] = []
        for index, size in enumerate(sizes):
            options = tuple(map(str, range(size)))
            label = f"Code c{index + 1}, {size} categories"
            controls.append(Choice("categorical", index, label, options))
        for index in range(self.config.continuous_codes):
            label = f"Code c{len(sizes) + index + 1}, continuous"
            controls.append(Slider("continuous", index, label, CODE_LIMIT))
        return tuple(controls)

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and an encoder with a score head and a recognition head.

        Raises:
            ValueError: the networks pack samples, whose codes Q could not tell apart; or there is
                a consistency weight and the data are points.
        """
        if self.config.consistency_weight and not self.data.is_image:
            raise ValueError(
                f"consistency_weight is {self.config.consistency_weight}; its term needs images, "
                f"and these data are points: set it to 0"
            )
        refuse_packs(networks, "InfoGAN recognises the codes of each sample")
        categories, continuous = self.config.categorical_codes, self.config.continuous_codes
        codes = sum(categories) + continuous
        self.generator = networks.generator(self.config.latent_size + codes, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.score = networks.score_head(self.encoder.features)
        self.recognition = networks.recognition_head(self.encoder.features, codes)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and both heads."""
        return {"encoder": self.encoder, "score": self.score, "recognition": self.recognition}

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw noise, uniform categories, and continuous codes uniform on [-1, 1]."""
        noise = super().prior(count, rng)
        categorical = [
            torch.randint(size, (count,), generator=rng, device=self.device)
            for size in self.config.categorical_codes
        ]
        shape = (count, self.config.continuous_codes)
        continuous = torch.rand(shape, generator=rng, device=self.device).mul_(2).sub_(1)
        codes = torch.stack(categorical, 1) if categorical else None
        return noise.updated(Condition(categorical=codes, continuous=continuous))

    def generate(self, condition: Condition) -> Tensor:
        """Map noise and codes to samples; the generator takes them concatenated, one-hot."""
        sizes = self.config.categorical_codes
        parts = [condition.latent]
        if condition.categorical is not None:
            columns = condition.categorical.unbind(1)
            parts += [one_hot(code, size) for code, size in zip(columns, sizes, strict=True)]
        parts.append(condition.continuous)
        present = [losses.at_least_float32(part) for part in parts if part is not None]
        data: Tensor = self.generator(torch.cat(present, 1))
        return data

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the scores of samples (N, *shape), shape (N,)."""
        scores: Tensor = self.score(self.encoder(data))
        return scores

    def recognise(self, data: Tensor) -> Recognition:
        """Return Q(c | x) of samples (N, *shape)."""
        return self._split(self.recognition(self.encoder(data)))

    @torch.no_grad()
    def recognised(self, data: Tensor) -> Recognition:
        """Return Q(c | x) of samples (N, *shape) in evaluation mode, without gradients."""
        with evaluation_mode(self.encoder, self.recognition):
            return self.recognise(data)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss, the information term, and the consistency term."""
        real_features = self.encoder(real.data)
        real_scores = self.score(real_features)
        features = self.encoder(fake.data)
        fake_scores = self.score(features)
        q_features = features if self.config.reward else features.detach()
        terms = {
            "adversarial": self.objective.discriminator(real_scores, fake_scores),
            "information": self._information_loss(q_features, fake.condition),
        }
        if self.config.consistency_weight:
            terms["consistency"] = self._consistency_loss(real_features, random_affine(real.data))
        return terms

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss, and the information term."""
        features = self.encoder(fake.data)
        loss = self.objective.generator_loss(
            self.score(features), lambda: self.discriminate(real.data)
        )
        terms = {"adversarial": loss}
        if self.config.reward:
            terms["information"] = self._information_loss(features, fake.condition)
        return terms

    def _information_loss(self, features: Tensor, codes: Condition) -> Tensor:
        """Return -lambda E[log Q(c | x)], the negative bound without the entropy of the codes."""
        recognised = self._split(self.recognition(features))
        terms = []
        if codes.categorical is not None:
            columns = codes.categorical.unbind(1)
            terms += [
                self.config.information_weight
                * losses.categorical_negative_log_likelihood(logits, code)
                for logits, code in zip(recognised.categorical, columns, strict=True)
            ]
        if codes.continuous is not None and self.config.continuous_codes:
            terms.append(
                self.config.continuous_information_weight
                * losses.gaussian_negative_log_likelihood(recognised.continuous, codes.continuous)
            )
        return torch.stack(terms).sum()

    def _consistency_loss(self, features: Tensor, copies: Tensor) -> Tensor:
        """Return the weighted, negative mutual information of categories of images and copies.

        The frequencies of the categories are those of the global minibatch.

        Args:
            features: outputs of the encoder for real images, (N, F).
            copies: the same images after random affine maps, (N, *shape).
        """
        outputs = self.recognition(features), self.recognition(self.encoder(copies))
        originals, mapped = (self._split(all_gather(part)).categorical for part in outputs)
        information = [
            losses.shared_information(*pair) for pair in zip(originals, mapped, strict=True)
        ]
        return -self.config.consistency_weight * torch.stack(information).sum()

    def _split(self, outputs: Tensor) -> Recognition:
        sizes = [*self.config.categorical_codes, self.config.continuous_codes]
        *categorical, continuous = outputs.split(sizes, dim=1)
        return Recognition(tuple(categorical), continuous)
