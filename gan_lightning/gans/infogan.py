"""InfoGAN: codes that the generated data has to reveal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_lightning import losses
from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_gather
from gan_lightning.gans.augmentation import affine
from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["InfoGAN", "InfoGANConfig", "Recognition"]


@dataclass
class InfoGANConfig(AdversarialConfig):
    """The paper's values for MNIST."""

    latent_size: int = 62
    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=2e-4)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    # number of categories of each categorical code
    categorical_codes: list[int] = field(default_factory=lambda: [10])
    # number of continuous codes, each uniform on [-1, 1]
    continuous_codes: int = 2
    # lambda: weight in the game of the information bound of the categorical codes
    information_weight: float = 1.0
    # and of the continuous codes
    continuous_information_weight: float = 1.0
    # weight of the information that categories of real images share with those of affine copies
    consistency_weight: float = 0.0
    # whether the players are rewarded for information; in the paper's control Q only watches them
    reward: bool = True

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if any(categories < 2 for categories in self.categorical_codes):
            raise ValueError(
                f"categorical_codes is {list(self.categorical_codes)}; each needs 2 or more"
            )
        for name in ("information_weight", "continuous_information_weight", "consistency_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if self.continuous_codes < 0:
            raise ValueError(f"continuous_codes is {self.continuous_codes}; it must be at least 0")
        if not self.categorical_codes and not self.continuous_codes:
            raise ValueError("InfoGAN needs a code: set categorical_codes or continuous_codes")
        if self.consistency_weight and not self.categorical_codes:
            raise ValueError(
                f"consistency_weight is {self.consistency_weight}, and no category can be kept: "
                f"set it to 0, or set categorical_codes"
            )


class Recognition(NamedTuple):
    """What Q reads from data.

    Args:
        categorical: logits of each categorical code, each (N, its categories).
        continuous: means of the continuous codes, (N, continuous codes), of variance 1.
    """

    categorical: tuple[Tensor, ...]
    continuous: Tensor


class InfoGAN(GAN):
    """A GAN whose generator maximises a bound on the information between codes and data.

    Q shares the discriminator's encoder and has a head of its own. Its negative log-likelihood of
    the codes, weighted by lambda, is a loss of both players (equation 6): on generated data D's
    step trains Q and the encoder, G's step the generator. The real/fake head gets no gradient of
    it. Without `reward` it is a plain GAN with codes in its input, which Q's head watches.

    With a `consistency_weight` Q learns from real images too: their categories are to say as much
    as they can of the categories of the same images turned, sheared, stretched and moved. So a
    category is what such a change leaves alone, which in digits is the digit.

    Source: Chen et al. 2016 (arXiv:1606.03657), equations 5 and 6; consistency: Ji, Henriques,
    Vedaldi 2019 (arXiv:1807.06653), equation 3, not in the InfoGAN paper and off by default.
    Deviations: the variance of Q's Gaussians is fixed at 1, as in the authors' MNIST code.
    """

    Config: ClassVar[type[Any]] = InfoGANConfig
    config: InfoGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and one encoder with a real/fake and a recognition head.

        Raises:
            ValueError: the networks pack data, whose codes Q could not tell apart; or consistency
                is asked for of what is no image.
        """
        if self.config.consistency_weight and not self.data.is_image:
            raise ValueError(
                "consistency_weight is for images, and these data are points; set it to 0"
            )
        refuse_packs(networks, "InfoGAN reads the codes of each datum")
        self.objective = adversarial_objective(self.config)
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
        """Map noise, one-hot categories and continuous codes, side by side, to data."""
        sizes = self.config.categorical_codes
        parts = [condition.latent]
        if condition.categorical is not None:
            columns = condition.categorical.unbind(1)
            parts += [one_hot(code, size) for code, size in zip(columns, sizes, strict=True)]
        parts.append(condition.continuous)
        present = [part.float() for part in parts if part is not None]
        data: Tensor = self.generator(torch.cat(present, 1))
        return data

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being real."""
        logits: Tensor = self.score(self.encoder(data))
        return logits

    def recognise(self, data: Tensor) -> Recognition:
        """Return Q(c | x) for data of shape (N, *shape)."""
        return self._split(self.recognition(self.encoder(data)))

    @torch.no_grad()
    def recognised(self, data: Tensor) -> Recognition:
        """Return Q(c | x) as a user sees it: evaluation mode, which is then put back."""
        with evaluation_mode(self.encoder, self.recognition):
            return self.recognise(data)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the cross-entropy of real against generated, and Q's losses."""
        real_features = self.encoder(real.data)
        real_logits = self.score(real_features)
        features = self.encoder(fake.data)
        fake_logits = self.score(features)
        seen_by_q = features if self.config.reward else features.detach()
        terms = {
            "adversarial": self.objective.discriminator(real_logits, fake_logits),
            "information": self._information_loss(seen_by_q, fake.condition),
        }
        if self.config.consistency_weight:
            terms["consistency"] = self._consistency_loss(real_features, affine(real.data))
        return terms

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective, and the loss of codes that Q cannot read."""
        features = self.encoder(fake.data)
        terms = {"adversarial": self.objective.generator(self.score(features))}
        if self.config.reward:
            terms["information"] = self._information_loss(features, fake.condition)
        return terms

    def _information_loss(self, features: Tensor, codes: Condition) -> Tensor:
        """Return -lambda E[log Q(c | x)], up to the entropy of the codes."""
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

    def _consistency_loss(self, features: Tensor, changed: Tensor) -> Tensor:
        """Return the weighted loss of categories that a change of real images changes.

        Which categories are frequent is a matter of the global minibatch.

        Args:
            features: of real images.
            changed: the same images changed, (N, *shape).
        """
        sides = self.recognition(features), self.recognition(self.encoder(changed))
        kept, after = (self._split(all_gather(side)).categorical for side in sides)
        shared = [losses.shared_information(*pair) for pair in zip(kept, after, strict=True)]
        return -self.config.consistency_weight * torch.stack(shared).sum()

    def _split(self, outputs: Tensor) -> Recognition:
        sizes = [*self.config.categorical_codes, self.config.continuous_codes]
        *categorical, continuous = outputs.split(sizes, dim=1)
        return Recognition(tuple(categorical), continuous)
