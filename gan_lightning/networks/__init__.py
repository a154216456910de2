"""Network families: generators, encoders and heads, independent of loss, optimizer and dataset."""

from __future__ import annotations

from typing import Any

from gan_lightning.networks.base import Encoder, NetworkFamily, Shape
from gan_lightning.networks.bilinear import BilinearNetworks, BilinearNetworksConfig
from gan_lightning.networks.cogan import CoGANNetworks, CoGANNetworksConfig
from gan_lightning.networks.cyclegan import CycleGANNetworks, CycleGANNetworksConfig
from gan_lightning.networks.dcgan import DCGAN, DCGANConfig
from gan_lightning.networks.dirac import DiracNetworks, DiracNetworksConfig
from gan_lightning.networks.heads import ScoreHead
from gan_lightning.networks.infogan import InfoGANNetworks, InfoGANNetworksConfig
from gan_lightning.networks.mlp import MLP, MLPConfig
from gan_lightning.networks.pix2pix import Pix2PixNetworks, Pix2PixNetworksConfig
from gan_lightning.networks.resnet import ResNet, ResNetConfig
from gan_lightning.networks.resnext import ResNeXt, ResNeXtConfig
from gan_lightning.networks.salimans import SalimansNetworks, SalimansNetworksConfig

NETWORKS: dict[str, type[NetworkFamily[Any]]] = {
    "mlp": MLP,
    "dcgan": DCGAN,
    "infogan": InfoGANNetworks,
    "salimans": SalimansNetworks,
    "pix2pix": Pix2PixNetworks,
    "cyclegan": CycleGANNetworks,
    "resnet": ResNet,
    "resnext": ResNeXt,
    "cogan": CoGANNetworks,
    "dirac": DiracNetworks,
    "bilinear": BilinearNetworks,
}

__all__ = [
    "DCGAN",
    "MLP",
    "NETWORKS",
    "BilinearNetworks",
    "BilinearNetworksConfig",
    "CoGANNetworks",
    "CoGANNetworksConfig",
    "CycleGANNetworks",
    "CycleGANNetworksConfig",
    "DCGANConfig",
    "DiracNetworks",
    "DiracNetworksConfig",
    "Encoder",
    "InfoGANNetworks",
    "InfoGANNetworksConfig",
    "MLPConfig",
    "NetworkFamily",
    "Pix2PixNetworks",
    "Pix2PixNetworksConfig",
    "ResNeXt",
    "ResNeXtConfig",
    "ResNet",
    "ResNetConfig",
    "SalimansNetworks",
    "SalimansNetworksConfig",
    "ScoreHead",
    "Shape",
]
