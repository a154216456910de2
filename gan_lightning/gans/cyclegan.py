"""CycleGAN: image-to-image translation without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.image_pool import ImagePool
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.translation import TranslatingGAN
from gan_lightning.gans.update_rules import UPDATE_RULES
from gan_lightning.losses import at_least_float32
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import setting

__all__ = ["CycleGAN", "CycleGANConfig"]


@dataclass
class CycleGANConfig(AdversarialConfig):
    """Config of CycleGAN; the defaults are the paper's.

    The losses of least squares have a factor of 1/2 here, so the weights beside them are half of
    the paper's; the minimum is the same.
    """

    objective: str = "least_squares"
    cycle_weight: float = setting(
        5.0,
        "lambda / 2: weight of the mean absolute difference of an image and its translation there "
        "and back; 0 leaves the cycle term out.",
        minimum=0,
    )
    identity_weight: float = setting(
        0.0,
        "Weight of the mean absolute difference of an image and its translation into the domain "
        "that it is from; the paper has half of lambda for paintings and none for other images.",
        minimum=0,
    )
    pool_size: int = setting(
        50,
        "Generated images of each domain that are kept for the discriminators; 0 keeps none.",
        minimum=0,
    )

    def validate(self) -> None:
        """Check that the pool sees whole minibatches, and the update rule.

        Raises:
            ValueError: gradients are accumulated over parts of them, or the rule differentiates
                through the pool.
        """
        super().validate()
        if self.pool_size and self.accumulate_gradients > 1:
            raise ValueError(
                f"pool_size is {self.pool_size} and accumulate_gradients is "
                f"{self.accumulate_gradients}; the pool needs whole minibatches: set one of them "
                f"to its smallest value, 0 or 1"
            )
        if UPDATE_RULES[self.update_rule.name].is_second_order:
            raise ValueError(
                f"update_rule.name is {self.update_rule.name}, which differentiates the "
                f"discriminators' loss by the generators' weights, and CycleGAN's discriminators "
                f"learn from a pool of images: set it to extragradient or optimistic"
            )

    def check_minibatch(self, count: int) -> None:
        """Check that a minibatch fits into the pool.

        Raises:
            ValueError: it does not.
        """
        if 0 < self.pool_size < count:
            raise ValueError(
                f"pool_size is {self.pool_size}, which is less than the {count} images of a "
                f"minibatch: set it to {count} or more, or to 0"
            )


class CycleGAN(TranslatingGAN):
    """CycleGAN: translators between two domains of images, in both directions, without pairs.

    The generator G translates sources x into targets y, and `inverse`, F, translates back. Each
    domain has a discriminator. The generators minimise both adversarial losses and
    lambda (|F(G(x)) - x| + |G(F(y)) - y|), the means of absolute differences. Source and target of
    a minibatch need not belong together.

    Source: Zhu, Park, Isola, Efros 2017 (arXiv:1703.10593), equations 1 to 3; section 4 for the
        pool of generated images; section 5.2 for the identity term.
    Deviations: see `ImagePool`.
    """

    Config: ClassVar[type[Any]] = CycleGANConfig
    config: CycleGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create a translator and a discriminator for each direction, and the pools.

        Raises:
            ValueError: the data have no sources, the networks have no translator, or the config
                has a term that CycleGAN does not support.
        """
        source, shape = self.source_shape(), self.data.shape
        if self.config.identity_weight and source != tuple(shape):
            raise ValueError(
                f"identity_weight is {self.config.identity_weight}, which needs sources of the "
                f"shape of the targets, and they are {source} and {tuple(shape)}; set it to 0"
            )
        if penalty := self.config.regularisation.used_penalty():
            raise ValueError(
                f"CycleGAN has two discriminators, and regularisation.{penalty} would penalise "
                f"only one of them; set it to 0"
            )
        self.generator = networks.translator(source, shape)
        self.inverse = networks.translator(shape, source)
        self.discriminator = networks.discriminator(shape)
        self.source_discriminator = networks.discriminator(source)
        self.targets = ImagePool(self.config.pool_size, shape)
        self.sources = ImagePool(self.config.pool_size, source)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the discriminators of both domains."""
        return {
            "discriminator": self.discriminator,
            "source_discriminator": self.source_discriminator,
        }

    def generator_players(self) -> Mapping[str, nn.Module]:
        """Return the translators of both directions."""
        return {"generator": self.generator, "inverse": self.inverse}

    def methods_to_compile(self) -> tuple[str, ...]:
        """Leave out the discriminators' loss, which draws from the pool by the update's number."""
        return ("generator_loss",)

    def reason_against_graphs(self) -> str:
        """Say that the pool fills up first, and draws from a generator of each update."""
        if not self.config.pool_size:
            return ""
        return "model.pool_size is above 0, and rounds differ while the pool of images fills up"

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss in the domain of the targets and in that of the sources."""
        with torch.no_grad():
            back = self.inverse(real.data)
        rng = torch.Generator(real.data.device)
        rng.manual_seed(derived_seed(self.seed, "pool", self.updates))
        targets = self.targets(fake.data.detach(), rng, self.updates)
        sources = self.sources(back, rng, self.updates)
        objective = self.objective.discriminator
        return {
            "adversarial": objective(self.discriminator(real.data), self.discriminator(targets)),
            "source_adversarial": objective(
                self.source_discriminator(real.source), self.source_discriminator(sources)
            ),
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss in both domains, and the cycle and identity terms."""
        assert real.source is not None
        config, source, target = self.config, real.source, real.data
        back: Tensor = self.inverse(target)
        terms = {
            "adversarial": self.objective.generator_loss(
                self.discriminator(fake.data), lambda: self.discriminator(target)
            ),
            "source_adversarial": self.objective.generator_loss(
                self.source_discriminator(back), lambda: self.source_discriminator(source)
            ),
        }
        if config.cycle_weight:
            cycles = _distance(self.inverse(fake.data), source) + _distance(
                self.generator(back), target
            )
            terms["cycle"] = config.cycle_weight * cycles
        if config.identity_weight:
            same = _distance(self.generator(target), target) + _distance(
                self.inverse(source), source
            )
            terms["identity"] = config.identity_weight * same
        return terms


def _distance(images: Tensor, others: Tensor) -> Tensor:
    """Return the mean absolute difference of images."""
    return l1_loss(at_least_float32(images), at_least_float32(others))
