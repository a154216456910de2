"""The least squares GAN (LSGAN) with labels: a GAN outside of the package, in one file.

gan-lightning train examples/lsgan.yaml
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.gans import GANConfig, LabelledGAN
from gan_lightning.gans.contract import LossTerms
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["LeastSquaresGAN", "LeastSquaresGANConfig", "WithLabels"]


@dataclass
class LeastSquaresGANConfig(GANConfig):
    """Config of LSGAN; the defaults are the 0-1 coding of equation 9."""

    fake_target: float = setting(0.0, "a: the discriminator's target for generated samples.")
    real_target: float = setting(1.0, "b: the discriminator's target for real samples.")
    generator_target: float = setting(
        1.0, "c: the generator's target for its samples; equation 8 has a, b, c of -1, 1, 0."
    )
    label_features: int = setting(
        16, "Length of the vector that a label is mapped to, at both players' inputs.", minimum=1
    )

    def validate(self) -> None:
        """Check that the discriminator has something to tell apart.

        Raises:
            ValueError: its two targets are equal.
        """
        if self.fake_target == self.real_target:
            raise ValueError(
                f"fake_target and real_target are {self.real_target}; they must differ"
            )


class LeastSquaresGAN(LabelledGAN):
    """LSGAN: the players' losses are squared distances of scores to targets.

    Both players take the label, mapped linearly to a short vector, in addition to their input, as
    the paper does for data of many classes.

    Source: Mao et al. 2017 (arXiv:1611.04076), equations 2, 8 and 9; section 3.3 for labels.
    Deviations: the label enters at the first layer of each player only; the networks are those that
        the experiment chooses.
    """

    Config: ClassVar[type[Any]] = LeastSquaresGANConfig
    config: LeastSquaresGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create both players, which take a label in addition.

        Raises:
            ValueError: the data have no classes.
        """
        self.classes = self.classes_of_data()
        features, shape = self.config.label_features, self.data.shape
        generator = networks.generator(self.config.latent_size + features, shape)
        self.generator = WithLabels(generator, self.classes, features)
        discriminator = networks.discriminator((shape[0] + features, *shape[1:]))
        self.discriminator = WithLabels(discriminator, self.classes, features)

    def generate(self, condition: Condition) -> Tensor:
        """Map noise and classes to samples, G(z | y)."""
        samples: Tensor = self.generator(condition.latent, condition.labels)
        return samples

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the scores of samples for the classes in `given`, D(x | y)."""
        scores: Tensor = self.discriminator(data, self.require_labels(given))
        return scores

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return 1/2 E[(D(x) - b)^2] and 1/2 E[(D(G(z)) - a)^2] (equation 2)."""
        real_scores = self.discriminate(real.data, real.condition)
        fake_scores = self.discriminate(fake.data, fake.condition)
        return {
            "real": 0.5 * squared_distance(real_scores, self.config.real_target),
            "generated": 0.5 * squared_distance(fake_scores, self.config.fake_target),
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return 1/2 E[(D(G(z)) - c)^2] (equation 2)."""
        scores = self.discriminate(fake.data, fake.condition)
        return {"generated": 0.5 * squared_distance(scores, self.config.generator_target)}


class WithLabels(nn.Module):
    """A network that takes a label in addition to its input, mapped linearly and concatenated.

    Args:
        network: takes vectors (N, D + features) or images (N, C + features, H, W).
        classes: number of classes.
        features: length of the vector that a label is mapped to.
    """

    def __init__(self, network: nn.Module, classes: int, features: int) -> None:
        super().__init__()
        self.mapping = nn.Embedding(classes, features)  # a linear map of the one-hot label
        self.network = network

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map inputs (N, D) or (N, C, H, W) and labels (N,) to the output of the network."""
        mapped: Tensor = self.mapping(labels)
        mapped = mapped.view(*mapped.shape, *(1 for _ in data.shape[2:]))
        output: Tensor = self.network(torch.cat([data, mapped.expand(-1, -1, *data.shape[2:])], 1))
        return output


def squared_distance(scores: Tensor, target: float) -> Tensor:
    """Return the mean squared distance of scores (N,) to a target, a scalar."""
    return (scores.float() - target).square().mean()
