"""The bidirectional GAN (BiGAN, ALI): a GAN with an encoder, its networks, a metric and a picture.

gan-lightning train examples/bigan.yaml
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.nn.functional import l1_loss, softplus

from gan_lightning.callbacks import PictureContext
from gan_lightning.callbacks.figures import ImageCallback, image_grid, save_picture
from gan_lightning.core.module import BaseModule, evaluation_mode
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import GANEvaluator
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.ema import ema_generator
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.networks import Encoder, NetworkFamily, Shape
from gan_lightning.networks.base import NetworkConfig, check_sample_shape
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = [
    "BiGAN",
    "BiGANConfig",
    "BiGANNetworks",
    "BiGANNetworksConfig",
    "EncoderEvaluator",
    "ReconstructionGrid",
]

SUPPORT: dict[str, type[nn.Module]] = {
    "uniform": nn.Tanh,
    "unit_uniform": nn.Sigmoid,
    "normal": nn.Identity,
}
"""Prior of the latents -> last layer of the encoder, whose outputs lie where the prior does."""

REFERENCES, QUERIES = 10_000, 1_000
"""Training data and test data that `EncoderEvaluator` encodes."""

COLUMNS = 12
"""Test data in a row of the picture."""


@dataclass
class BiGANConfig(GANConfig):
    """Config of BiGAN; the defaults are the paper's for MNIST."""

    latent_size: int = 50
    joint_features: int = setting(
        1024, "Units of the discriminator's hidden layer that sees data and latent.", minimum=1
    )


class BiGAN(GAN):
    """BiGAN: an encoder E learns to invert the generator G, though no loss compares x and G(E(x)).

    The discriminator gets pairs of data and latents, (x, E(x)) and (G(z), z). Only if E and G are
    inverses of each other have the pairs the same distribution, and G and E play for that together.

    Attributes:
        encoder: E, from data (N, *shape) to latents (N, latent_size).

    Source: Donahue, Krähenbühl, Darrell 2017 (arXiv:1605.09782), equation 3, and section 3.4 for
        the losses of G and E; with an E that draws its latents, Dumoulin et al. 2017
        (arXiv:1606.00704).
    Deviations: latents join the features of the data behind the hidden layers of the networks; in
        the authors' code (github.com/jeffdonahue/bigan) they enter the last of these layers.
    """

    Config: ClassVar[type[Any]] = BiGANConfig
    config: BiGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, the encoder and the discriminator of pairs.

        Raises:
            ValueError: the networks pack samples.
        """
        refuse_packs(networks, "BiGAN encodes each sample")
        size, hidden, shape = self.config.latent_size, self.config.joint_features, self.data.shape
        self.generator = networks.generator(size, shape)
        trunk = networks.encoder(shape)
        last = networks.recognition_head(trunk.features, size)
        self.encoder = nn.Sequential(trunk, last, SUPPORT[self.config.latent_prior]())
        trunk = networks.encoder(shape)
        joint = networks.recognition_head(trunk.features + size, hidden)
        score = nn.Sequential(joint, nn.LeakyReLU(0.2), networks.score_head(hidden))
        self.discriminator = PairDiscriminator(trunk, score)

    def generator_players(self) -> Mapping[str, nn.Module]:
        """Return the generator and the encoder, which the same optimizer updates."""
        return {"generator": self.generator, "encoder": self.encoder}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the logits of data with the given latents, by default E(data), shape (N,)."""
        latent = None if given is None else given.latent
        logits: Tensor = self.discriminator(data, self.encoder(data) if latent is None else latent)
        return logits.float()

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return -log D(x, E(x)) and -log(1 - D(G(z), z)) (equation 3)."""
        with torch.no_grad():
            encoded = Condition(latent=self.encoder(real.data))
        return {
            "encoded": softplus(-self.discriminate(real.data, encoded)).mean(),
            "generated": softplus(self.discriminate(fake.data, fake.condition)).mean(),
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return -log(1 - D(x, E(x))) and -log D(G(z), z), the swapped labels of section 3.4."""
        return {
            "encoded": softplus(self.discriminate(real.data)).mean(),
            "generated": softplus(-self.discriminate(fake.data, fake.condition)).mean(),
        }

    def evaluators(self) -> tuple[str, ...]:
        """Return what is measured of every GAN, and what is measured of the encoder."""
        return (*super().evaluators(), f"{__name__}:EncoderEvaluator")

    def pictures(self) -> tuple[str, ...]:
        """Return the picture of reconstructions, if the data are images."""
        return (f"{__name__}:ReconstructionGrid",) if self.data.is_image else ()

    @torch.no_grad()
    def encode(self, data: Tensor) -> Tensor:
        """Return the latents E(x) of data (N, *shape) in evaluation mode, (N, latent_size)."""
        with evaluation_mode(self):
            latents: Tensor = self.encoder(data.to(self.device))
        return latents

    @torch.no_grad()
    def reconstruct(self, data: Tensor) -> Tensor:
        """Return G(E(x)) of data in evaluation mode, (N, *shape)."""
        with ema_generator(self), evaluation_mode(self):
            return self.generate(Condition(latent=self.encode(data)))


class PairDiscriminator(nn.Module):
    """A discriminator of data and latents: features of the data, joined with the latents.

    Args:
        trunk: from data (N, *shape) to features (N, F).
        score: from features and latents, (N, F + latent size), to logits (N,).
    """

    def __init__(self, trunk: nn.Module, score: nn.Module) -> None:
        super().__init__()
        self.trunk, self.score = trunk, score

    def forward(self, data: Tensor, latent: Tensor) -> Tensor:
        """Map data (N, *shape) and latents (N, latent size) to logits (N,)."""
        logits: Tensor = self.score(torch.cat([self.trunk(data), latent], 1))
        return logits


class EncoderEvaluator(GANEvaluator):
    """Computes how well the encoder inverts the generator, and whether codes tell classes apart.

    Args:
        gan: the model.
        data: its dataset.
        shard: this process's part of the work, which every process does in full.

    Source: Donahue, Krähenbühl, Darrell 2017 (arXiv:1605.09782), table 1 for the nearest neighbour.
    Deviations: 10,000 reference data instead of 60,000, and 1,000 test data instead of 10,000.
    """

    def __init__(self, gan: BiGAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data = gan, data

    def compute(self) -> dict[str, float]:
        """Return mean |x - G(E(x))|, the same for other data than x, and the accuracy of 1-NN."""
        gan, test = self._gan, self._data.test_data().part(slice(QUERIES), self._gan.device)
        images = gan.reconstruct(test.data).float()
        values = {
            "encoder/error": l1_loss(images, test.data).item(),
            "encoder/error_mismatched": l1_loss(images.roll(1, 0), test.data).item(),
        }
        data, labels = self._data.training_data()
        if labels is not None and test.labels is not None:
            rows = torch.arange(min(REFERENCES, len(data)))
            known = gan.encode(to_float_nchw(data[rows])).float()
            nearest = torch.cdist(gan.encode(test.data).float(), known).argmin(1)
            right = labels.to(gan.device)[nearest] == test.labels
            values["encoder/neighbour_accuracy"] = right.double().mean().item()
        return values


class ReconstructionGrid(ImageCallback):
    """Draws test data in odd rows, and below each its reconstruction G(E(x)).

    Args:
        context: data, folder and interval of the pictures.
    """

    def __init__(self, context: PictureContext) -> None:
        super().__init__(context.folder, context.every_n_updates)
        self.test = context.data.test_data()

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(model, BiGAN) and trainer.is_global_zero:
            data = self.test.part(slice(4 * COLUMNS), model.device).data
            pairs = zip(data.split(COLUMNS), model.reconstruct(data).split(COLUMNS), strict=True)
            rows = torch.cat([row for pair in pairs for row in pair])
            save_picture(trainer, model, self.folder, "reconstructions", image_grid(rows, COLUMNS))


@dataclass
class BiGANNetworksConfig(NetworkConfig):
    """Sizes of the networks."""

    initialisation: str = "normal_0.02"
    hidden: int = setting(1024, "Units of each of the two hidden layers.", minimum=1)


class BiGANNetworks(NetworkFamily[BiGANNetworksConfig]):
    """Perceptrons of two hidden layers, for points and for images as vectors.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Donahue, Krähenbühl, Darrell 2017 (arXiv:1605.09782), section 4.2.
    """

    Config: ClassVar[type[BiGANNetworksConfig]] = BiGANNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build hidden layers with batch normalisation, and a tanh for images."""
        check_sample_shape("bigan", shape)
        hidden = self.config.hidden
        layers = [nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        layers += [nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        layers += [nn.Linear(hidden, math.prod(shape)), nn.Unflatten(1, shape)]
        layers += [nn.Tanh()] if len(shape) == 3 else []
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build two hidden layers."""
        check_sample_shape("bigan", shape)
        hidden = self.config.hidden
        layers = [nn.Flatten(), nn.Linear(math.prod(shape), hidden), nn.LeakyReLU(0.2)]
        layers += [nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.2)]
        encoder = Encoder(nn.Sequential(*layers), hidden)
        self.initialise_weights(encoder)
        return encoder
