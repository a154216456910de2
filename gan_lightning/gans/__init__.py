"""One paper, one file; the table of all variants."""

from __future__ import annotations

from gan_lightning.gans.base import GAN, GANConfig
from gan_lightning.gans.gan import StandardGAN
from gan_lightning.gans.infogan import InfoGAN

GANS: dict[str, type[GAN]] = {
    "gan": StandardGAN,
    "infogan": InfoGAN,
}

__all__ = ["GAN", "GANS", "GANConfig", "InfoGAN", "StandardGAN"]
