"""The networks of PyTorch-GAN's scripts for MNIST, as families of ours: the same layers and sizes.

They differ from the papers' (batch norm with an epsilon of 0.8, a softmax before a cross-entropy
that has its own): rebuilt to time the same work, not to be used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.networks import Encoder, NetworkFamily, Shape
from gan_lightning.networks.base import NetworkConfig
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.layout import MapsToVector, VectorToMaps

__all__ = ["FAMILIES", "PeerConvolutions", "PeerLinear"]

EPSILON = 0.8
CLASSES = 10


@dataclass
class PeerConfig(NetworkConfig):
    """What the scripts differ in."""

    # how the generator is told the class: none, beside (an embedding beside the noise) or product
    labels: str = "none"
    # in the linear discriminator: widths
    hidden: list[int] = field(default_factory=lambda: [512, 256])
    # and dropout from its second layer on
    dropout: float = 0.0
    # whether the generator's first maps are normalised
    first_norm: bool = True
    # whether an autoencoder takes the discriminator's place
    autoencoder: bool = False


class EmbeddedLabels(nn.Module):
    """A generator's inputs, noise and one-hot class, as the scripts make them of an embedding."""

    def __init__(self, width: int, product: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, width)
        self.product = product

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, latent + classes) to (N, latent) or (N, classes + latent)."""
        noise, labels = inputs.split([inputs.shape[1] - CLASSES, CLASSES], 1)
        embedded = self.embedding(labels.argmax(1))
        joined: Tensor = embedded * noise if self.product else torch.cat([embedded, noise], 1)
        return joined


class LabelsBeside(nn.Module):
    """An embedding of the class beside flattened data."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, classes)

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map data (N, *shape) and labels (N,) to (N, numbers of a datum + classes)."""
        return torch.cat([data.flatten(1), self.embedding(labels)], 1)


class Answers(nn.Module):
    """Probabilities of classes, and means of two continuous codes where they are wanted."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        continuous = outputs - CLASSES if outputs == CLASSES + 2 else 0
        self.classes = nn.Linear(features, outputs - continuous)
        self.continuous = nn.Linear(features, continuous) if continuous else None

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, features) to (N, outputs)."""
        probabilities: Tensor = self.classes(features).float().softmax(1)
        if self.continuous is None:
            return probabilities
        return torch.cat([probabilities, self.continuous(features).float()], 1)


class PeerNetworks(NetworkFamily[PeerConfig]):
    """What both kinds share."""

    Config: ClassVar[type[Any]] = PeerConfig

    def recognition(self, features: int, outputs: int) -> nn.Module:
        """Probabilities, which the scripts hand to a loss that expects logits."""
        return Answers(features, outputs)

    def told(self, inputs: int) -> tuple[list[nn.Module], int]:
        """Return the layer that takes the class in, if any, and the length of what it makes."""
        if self.config.labels == "none":
            return [], inputs
        product = self.config.labels == "product"
        width = inputs - CLASSES if product else CLASSES
        return [EmbeddedLabels(width, product)], inputs - CLASSES if product else inputs


class PeerLinear(PeerNetworks):
    """The fully connected networks of gan, wgan_gp and cgan."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """128, 256, 512 and 1,024 units, all but the first normalised."""
        told, width = self.told(inputs)
        layers = [*told, nn.Linear(width, 128), nn.LeakyReLU(0.2, inplace=True)]
        for before, after in pairwise((128, 256, 512, 1024)):
            norm = nn.BatchNorm1d(after, EPSILON)
            layers += [nn.Linear(before, after), norm, nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Linear(1024, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)]
        return nn.Sequential(*layers)

    def trunk(self, shape: Shape) -> Encoder:
        """Hidden layers of the config's widths."""
        widths = [math.prod(shape), *self.config.hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for depth, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Linear(before, after))
            if depth and self.config.dropout:
                layers.append(Dropout(self.config.dropout))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        return Encoder(nn.Sequential(*layers), widths[-1])

    def label_input(self, shape: Shape, classes: int) -> tuple[nn.Module, Shape]:
        """An embedding beside the flattened data."""
        return LabelsBeside(classes), (math.prod(shape) + classes,)


class PeerConvolutions(PeerNetworks):
    """The convolutional networks of dcgan, acgan, sgan, infogan and ebgan, for 32 pixels."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """A linear layer to 128 maps of 8x8, doubled twice, with 3x3 convolutions.

        Of an autoencoder's code (32 numbers) it is the decoder.
        """
        if self.config.autoencoder and inputs == 32:
            return self.decoder(shape)
        told, width = self.told(inputs)
        first = [nn.BatchNorm2d(128)] if self.config.first_norm else []
        return nn.Sequential(
            *told,
            nn.Linear(width, 128 * 8 * 8),
            VectorToMaps(128, 8, 8),
            *first,
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, 1, 1),
            nn.BatchNorm2d(128, EPSILON),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, 1, 1),
            nn.BatchNorm2d(64, EPSILON),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, shape[0], 3, 1, 1),
            nn.Tanh(),
        )

    def decoder(self, shape: Shape) -> nn.Module:
        """From the code to 64 maps of 16x16, doubled once."""
        inner = 64 * 16 * 16
        return nn.Sequential(
            nn.BatchNorm1d(32, EPSILON),
            nn.ReLU(),
            nn.Linear(32, inner),
            nn.BatchNorm1d(inner),
            nn.ReLU(inplace=True),
            VectorToMaps(64, 16, 16),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(64, shape[0], 3, 1, 1),
        )

    def trunk(self, shape: Shape) -> Encoder:
        """Four strided convolutions with dropout, or the autoencoder's first half."""
        if self.config.autoencoder:
            layers: list[nn.Module] = [nn.Conv2d(shape[0], 64, 3, 2, 1), nn.ReLU()]
            layers += [MapsToVector(), nn.Linear(64 * 16 * 16, 32)]
            return Encoder(nn.Sequential(*layers), 32)
        layers = []
        for depth, (before, after) in enumerate(pairwise((shape[0], 16, 32, 64, 128))):
            layers.append(nn.Conv2d(before, after, 3, 2, 1))
            layers += [nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            if depth:
                layers.append(nn.BatchNorm2d(after, EPSILON))
        return Encoder(nn.Sequential(*layers, MapsToVector()), 128 * 2 * 2)


FAMILIES: dict[str, type[PeerNetworks]] = {
    "peer_linear": PeerLinear,
    "peer_convolutions": PeerConvolutions,
}
