"""One paper, one file; the table of all variants."""

from __future__ import annotations

from gan_lightning.gans.base import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.ebgan import EBGAN
from gan_lightning.gans.gan import StandardGAN
from gan_lightning.gans.infogan import InfoGAN
from gan_lightning.gans.unrolled import UnrolledGAN
from gan_lightning.gans.wgan import WGAN
from gan_lightning.gans.wgan_gp import WGANGP

GANS: dict[str, type[GAN]] = {
    "gan": StandardGAN,
    "unrolled": UnrolledGAN,
    "wgan": WGAN,
    "wgan_gp": WGANGP,
    "ebgan": EBGAN,
    "infogan": InfoGAN,
}

__all__ = [
    "EBGAN",
    "GAN",
    "GANS",
    "WGAN",
    "WGANGP",
    "GANConfig",
    "InfoGAN",
    "StandardGAN",
    "UnrolledGAN",
]
