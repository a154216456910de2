"""One paper, one file; the table of all variants."""

from __future__ import annotations

from gan_lightning.gans.acgan import AuxiliaryClassifierGAN
from gan_lightning.gans.base import GAN
from gan_lightning.gans.began import BEGAN
from gan_lightning.gans.cgan import ConditionalGAN
from gan_lightning.gans.cogan import CoupledGAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.cyclegan import CycleGAN
from gan_lightning.gans.dragan import DRAGAN
from gan_lightning.gans.ebgan import EBGAN
from gan_lightning.gans.infogan import InfoGAN
from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.pix2pix import Pix2Pix
from gan_lightning.gans.projected import ProjectedGAN
from gan_lightning.gans.semi_supervised import SemiSupervisedGAN
from gan_lightning.gans.standard import StandardGAN
from gan_lightning.gans.unrolled import UnrolledGAN
from gan_lightning.gans.wgan import WGAN
from gan_lightning.gans.wgan_gp import WGANGP

GANS: dict[str, type[GAN]] = {
    "gan": StandardGAN,
    "unrolled": UnrolledGAN,
    "wgan": WGAN,
    "wgan_gp": WGANGP,
    "dragan": DRAGAN,
    "ebgan": EBGAN,
    "began": BEGAN,
    "projected": ProjectedGAN,
    "infogan": InfoGAN,
    "cgan": ConditionalGAN,
    "acgan": AuxiliaryClassifierGAN,
    "semi_supervised": SemiSupervisedGAN,
    "cogan": CoupledGAN,
    "pix2pix": Pix2Pix,
    "cyclegan": CycleGAN,
}

__all__ = [
    "BEGAN",
    "DRAGAN",
    "EBGAN",
    "GAN",
    "GANS",
    "WGAN",
    "WGANGP",
    "AuxiliaryClassifierGAN",
    "ConditionalGAN",
    "CoupledGAN",
    "CycleGAN",
    "GANConfig",
    "InfoGAN",
    "LabelledGAN",
    "Pix2Pix",
    "ProjectedGAN",
    "SemiSupervisedGAN",
    "StandardGAN",
    "UnrolledGAN",
]
