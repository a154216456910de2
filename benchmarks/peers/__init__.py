"""Scripts of PyTorch-GAN, and configs with which the Trainer does the same work.

Networks, batch size, learning rates and real digits are the same. `same_work.loss_difference` takes
over the weights and the minibatch of a script, and compares the losses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.gans import GANS
from gan_lightning.networks import NETWORKS
from peers.games import GAMES
from peers.networks import FAMILIES

__all__ = ["PEERS", "Peer"]

ADAM = {"learning_rate": 2e-4, "betas": [0.5, 0.999]}


@dataclass(frozen=True)
class Peer:
    """A script of PyTorch-GAN and the config with which the Trainer does the same work.

    Args:
        model: the `model` section of the config.
        network: the `network` section of the config.
        size: height and width of the digits in pixels.
        speedup: target: the script takes at least this many times as long as the Trainer.
        weights: factors that convert the Trainer's losses of discriminator and generator to the
            script's.
        minibatches: discriminator steps per generator step.
    """

    model: dict[str, Any]
    network: dict[str, Any]
    size: int
    speedup: float
    weights: tuple[float, float] = (1.0, 1.0)
    minibatches: int = 1
    batch: int = field(default=64, init=False)

    def config(self, overrides: list[str]) -> RunConfig:
        """Return the Trainer's config, and register the peer's GANs and network families."""
        GANS.update(GAMES)
        NETWORKS.update(FAMILIES)
        optimizers = {"discriminator_optimizer": ADAM, "generator_optimizer": ADAM}
        source = {
            "title": "a script of PyTorch-GAN",
            "paper": "none",
            "model": {"latent_size": 100, "latent_prior": "normal", **optimizers, **self.model},
            "network": self.network,
            "data": {"name": "mnist", "size": self.size, "batch_size": self.batch},
            "trainer": {"max_updates": 1000},
        }
        return load_config(source, overrides)


LINEAR = {"name": "peer_linear"}
CONVOLUTIONS = {"name": "peer_convolutions", "initialisation": "normal_0.02"}

PEERS = {
    "gan": Peer({"name": "gan"}, LINEAR, 28, 10.0, (0.5, 1.0)),
    "dcgan": Peer({"name": "gan"}, CONVOLUTIONS, 32, 3.0, (0.5, 1.0)),
    "wgan_gp": Peer({"name": "wgan_gp"}, LINEAR, 28, 2.0, minibatches=5),
    "cgan": Peer(
        {"name": "cgan", "objective": "least_squares"},
        {**LINEAR, "labels": "concatenate", "hidden": [512, 512, 512], "dropout": 0.4},
        32,
        2.0,
        (1.0, 2.0),
    ),
    "acgan": Peer({"name": "acgan"}, {**CONVOLUTIONS, "labels": "product"}, 32, 3.0, (0.25, 0.5)),
    "sgan": Peer({"name": "peer_sgan"}, CONVOLUTIONS, 32, 3.0),
    "infogan": Peer(
        {
            "name": "infogan",
            "objective": "least_squares",
            "latent_size": 62,
            "continuous_information_weight": 0.1,
        },
        CONVOLUTIONS,
        32,
        3.0,
        (1.0, 2.0),
    ),
    "ebgan": Peer(
        {"name": "peer_ebgan", "latent_size": 62},
        {**CONVOLUTIONS, "first_norm": False, "autoencoder": True},
        32,
        3.0,
    ),
}
"""Peers by the name of the script."""


def script_path(checkout: Path, name: str) -> Path:
    """Return the path of a script in a checkout."""
    return checkout / "implementations" / name / f"{name}.py"
