"""Contrastive unpaired translation (CUT): a translator of images, its networks and its data.

gan-lightning train examples/cut.yaml
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import DigitPairs
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.translation import TranslatingGAN
from gan_lightning.networks import NetworkFamily, Shape
from gan_lightning.networks.cyclegan import ResidualBlock
from gan_lightning.networks.patches import PatchConfig, PatchNetworks, check_square
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import setting

__all__ = ["CUT", "CUTConfig", "CUTNetworks", "CUTNetworksConfig", "UnpairedDigits", "patch_nce"]


@dataclass
class CUTConfig(AdversarialConfig):
    """Config of CUT; the defaults are the authors'.

    The losses of least squares have a factor of 1/2 here, so the weights beside them are half of
    the authors'; the minimum is the same.
    """

    objective: str = "least_squares"
    contrastive_weight: float = setting(
        0.25, "Half of lambda_X and lambda_Y, the weights of both PatchNCE losses.", above=0
    )
    identity: bool = setting(True, "Compare targets and their translations, too; FastCUT does not.")
    patches: int = setting(256, "Places that are compared in each map.", minimum=2)
    features: int = setting(256, "Length of the vectors that are compared.", minimum=1)
    temperature: float = setting(0.07, "tau: divisor of the cosines.", above=0)


class CUT(TranslatingGAN):
    """CUT: a translation into another domain, learnt without pairs by one generator.

    A patch of the translation G(x) is to show what the patch of x at the same place does: their
    features, which the first half of G computes, are to be more similar than the features of the
    patch of G(x) and of those of x elsewhere. A small perceptron for each map makes vectors of the
    features. The same for targets keeps G(y) close to y.

    Attributes:
        heads: the perceptrons H_l, one for each map of the generator's first half.

    Source: Park, Efros, Zhang, Zhu 2020 (arXiv:2007.15651), equations 1 to 3 and the final
        objective; the weights are those of github.com/taesungp/contrastive-unpaired-translation.
    Deviations: the generator's optimizer updates the heads, too.
    """

    Config: ClassVar[type[Any]] = CUTConfig
    config: CUTConfig
    generator: Translator

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, the discriminator of targets, and the heads.

        Raises:
            ValueError: source and target differ in shape, or the networks have no first half.
        """
        source, shape = self.source_shape(), self.data.shape
        if source != tuple(shape):
            raise ValueError(
                f"CUT encodes sources and targets by the same layers, and they have the shapes "
                f"{source} and {tuple(shape)}; choose data with equal ones"
            )
        translator = networks.translator(source, shape)
        if not isinstance(translator, Translator):
            raise ValueError(
                'CUT needs a translator that shows its maps; set network.name="cut:CUTNetworks"'
            )
        self.generator = translator
        self.discriminator = networks.discriminator(shape)
        size = self.config.features
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, size), nn.ReLU(), nn.Linear(size, size))
            for channels in translator.channels
        )

    def generator_players(self) -> Mapping[str, nn.Module]:
        """Return the generator and the heads."""
        return {"generator": self.generator, "heads": self.heads}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the adversarial loss (equation 1), and PatchNCE of x and of y (equation 3)."""
        assert real.source is not None
        weight, target = self.config.contrastive_weight, real.data
        terms = dict(super().generator_loss(real, fake))
        terms["contrastive"] = weight * self.contrast(real.source, fake.data)
        if self.config.identity:
            terms["identity"] = weight * self.contrast(target, self.generator(target))
        return terms

    def contrast(self, images: Tensor, translations: Tensor) -> Tensor:
        """Return PatchNCE of images and their translations, the mean over the maps (equation 3).

        The places are drawn once for all images, so that it is the same in any number of processes.

        Args:
            images: (N, C, H, W), whose features have no gradient.
            translations: (N, C, H, W).
        """
        rng = torch.Generator().manual_seed(derived_seed(self.seed, "patches", self.updates))
        queries = self.generator.maps(translations)
        with torch.no_grad():
            keys = self.generator.maps(images)
        losses = []
        for head, query, key in zip(self.heads, queries, keys, strict=True):
            places = torch.randperm(query.shape[2] * query.shape[3], generator=rng)
            places = places[: self.config.patches].to(query.device)
            query, key = (head(part.flatten(2)[..., places].mT) for part in (query, key))
            losses.append(patch_nce(query, key.detach(), self.config.temperature))
        return torch.stack(losses).mean()


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of finding the key at the place of each query (equation 2).

    Args:
        queries: vectors of P places of the translations, (N, P, F).
        keys: vectors of the same places of the images, (N, P, F); those of the other places of the
            same image are the negatives.
        temperature: divisor of the cosines.

    Returns:
        Scalar in nats, at least 0; log P where all vectors are equal.
    """
    cosines = normalize(queries.float(), dim=2) @ normalize(keys.float(), dim=2).mT
    places = torch.arange(cosines.shape[1], device=cosines.device).expand(cosines.shape[:2])
    return cross_entropy((cosines / temperature).flatten(0, 1), places.flatten())


@dataclass
class CUTNetworksConfig(PatchConfig):
    """Options of the networks."""

    norm: str = "instance"
    blocks: int = setting(9, "Residual blocks, of which the first half encode.", minimum=2)


class CUTNetworks(PatchNetworks[CUTNetworksConfig]):
    """A residual translator that shows the maps of its first half, and a PatchGAN.

    Maps are halved by an average and doubled by interpolation, so that a translation moves with its
    source; sides of 32, 64, 128 or 256 pixels.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Park, Efros, Zhang, Zhu 2020 (arXiv:2007.15651), and the authors' code.
    Deviations: the average of 2x2 pixels and bilinear interpolation are not the authors' filters;
        the discriminator halves by strides; weights are initialised as those of pix2pix are.
    """

    Config: ClassVar[type[CUTNetworksConfig]] = CUTNetworksConfig
    name = "cut"

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a translator from (N, *source) to (N, *shape) in [-1, 1]."""
        check_square(self.name, source)
        check_square(self.name, shape)
        width, count = self.config.width, self.config.blocks
        blocks = [ResidualBlock(4 * width, self.norm) for _ in range(count)]
        encoder = [
            nn.Sequential(*self._layer(source[0], width, 7), *self._layer(width, 2 * width)),
            nn.Sequential(nn.AvgPool2d(2), *self._layer(2 * width, 4 * width)),
            nn.Sequential(nn.AvgPool2d(2), *blocks[: count // 2]),
        ]
        decoder: list[nn.Module] = [*blocks[count // 2 :]]
        for inputs in (4 * width, 2 * width):
            decoder.append(nn.Upsample(scale_factor=2, mode="bilinear"))
            decoder += self._layer(inputs, inputs // 2)
        decoder += [self._layer(width, shape[0], 7)[0], nn.Tanh()]
        channels = [source[0], 2 * width, 4 * width, 4 * width]
        return self.initialise_weights(Translator(encoder, decoder, channels))

    def _layer(self, inputs: int, outputs: int, kernel: int = 3) -> list[nn.Module]:
        padding = kernel // 2
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, padding_mode="reflect")
        return [convolution, self.norm(outputs), nn.ReLU()]


class Translator(nn.Module):
    """A generator of images from images in two halves, of which the first one shows its maps.

    Args:
        encoder: parts of the first half.
        decoder: layers of the second half.
        channels: of the image, and of the maps after each part of the first half.
    """

    def __init__(
        self, encoder: Sequence[nn.Module], decoder: Sequence[nn.Module], channels: Sequence[int]
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.Sequential(*decoder)
        self.channels = channels

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return images (N, C, H, W) and the maps after each part of the first half."""
        maps = [images]
        for part in self.encoder:
            maps.append(part(maps[-1]))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to images of the same size in [-1, 1]."""
        translations: Tensor = self.decoder(self.maps(images)[-1])
        return translations


class UnpairedDigits(DigitPairs):
    """Two domains without pairs: 30,000 digits, and the edges of 30,000 others.

    The test data are pairs, with which translations are compared.
    """

    def training_data(self) -> tuple[Tensor, Tensor]:
        """Return the first half of the digits, uint8 (30000, H, W, 1), and their classes."""
        images, labels = super().training_data()
        return images[: len(images) // 2], labels[: len(labels) // 2]

    def source_data(self) -> Tensor:
        """Return the edges of the second half, uint8 (30000, H, W, 1)."""
        sources = super().source_data()
        return sources[len(sources) // 2 :]
