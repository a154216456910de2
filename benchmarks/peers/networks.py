"""Network families with the layers and sizes of PyTorch-GAN's scripts for MNIST.

They exist for timing only. They differ from the papers' networks, for example in a batch norm
epsilon of 0.8 and in a softmax before a cross-entropy that takes logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.networks import Encoder, NetworkFamily, Shape
from gan_lightning.networks.base import NetworkConfig
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.layout import MapsToVector, VectorToMaps
from gan_lightning.utils.settings import setting

__all__ = ["FAMILIES", "PeerConvolutions", "PeerLinear"]

EPSILON = 0.8
CLASSES = 10


@dataclass
class PeerConfig(NetworkConfig):
    """Differences between the scripts' networks."""

    labels: str = setting(
        "none",
        "Class input of the generator; concatenate: an embedding next to the noise.",
        choices=("none", "concatenate", "product"),
    )
    hidden: list[int] = setting([512, 256], "Hidden widths of the linear discriminator.")
    dropout: float = setting(
        0.0, "Dropout probability of the linear discriminator, from its second layer on."
    )
    first_norm: bool = setting(True, "Whether the generator's first feature maps are normalised.")
    autoencoder: bool = setting(False, "Whether the discriminator is an autoencoder.")


class EmbeddedLabels(nn.Module):
    """Replace the one-hot class in a generator's input by an embedding, as the scripts do."""

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


class ConcatenatedLabels(nn.Module):
    """Concatenate flattened data with an embedding of the class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, classes)

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map data (N, *shape) and labels (N,) to (N, prod(shape) + classes)."""
        return torch.cat([data.flatten(1), self.embedding(labels)], 1)


class RecognitionHead(nn.Module):
    """Predict class probabilities, and the means of two continuous codes if outputs has room."""

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
    """Base class of the two families."""

    Config: ClassVar[type[Any]] = PeerConfig

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Return a head with probabilities, which the scripts pass to a loss for logits."""
        return RecognitionHead(features, outputs)

    def label_layers(self, inputs: int) -> tuple[list[nn.Module], int]:
        """Return the layer that embeds the class, if any, and its number of outputs."""
        if self.config.labels == "none":
            return [], inputs
        product = self.config.labels == "product"
        width = inputs - CLASSES if product else CLASSES
        return [EmbeddedLabels(width, product)], inputs - CLASSES if product else inputs


class PeerLinear(PeerNetworks):
    """The fully connected networks of gan, wgan_gp and cgan."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Return layers of 128, 256, 512 and 1,024 units, batch-normalised but for the first."""
        embedding, width = self.label_layers(inputs)
        layers = [*embedding, nn.Linear(width, 128), nn.LeakyReLU(0.2, inplace=True)]
        for before, after in pairwise((128, 256, 512, 1024)):
            norm = nn.BatchNorm1d(after, EPSILON)
            layers += [nn.Linear(before, after), norm, nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Linear(1024, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)]
        return nn.Sequential(*layers)

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Return hidden layers of the configured widths."""
        widths = [math.prod(shape), *self.config.hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for depth, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Linear(before, after))
            if depth and self.config.dropout:
                layers.append(Dropout(self.config.dropout))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        return Encoder(nn.Sequential(*layers), widths[-1])

    def label_input(self, shape: Shape, classes: int) -> tuple[nn.Module, Shape]:
        """Return the layer that concatenates the class embedding and its output shape."""
        return ConcatenatedLabels(classes), (math.prod(shape) + classes,)


class PeerConvolutions(PeerNetworks):
    """The convolutional networks of dcgan, acgan, sgan, infogan and ebgan, for 32 x 32 pixels."""

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Return a linear layer to 128 maps of 8 x 8, upsampled twice, with 3 x 3 convolutions.

        For an autoencoder's code (32 inputs), return the decoder instead.
        """
        if self.config.autoencoder and inputs == 32:
            return self.decoder(shape)
        embedding, width = self.label_layers(inputs)
        first_norm = [nn.BatchNorm2d(128)] if self.config.first_norm else []
        return nn.Sequential(
            *embedding,
            nn.Linear(width, 128 * 8 * 8),
            VectorToMaps(128, 8, 8),
            *first_norm,
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
        """Return the decoder: a linear layer to 64 maps of 16 x 16, upsampled once."""
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

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Return four strided convolutions with dropout, or the autoencoder's encoder."""
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
