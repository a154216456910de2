"""Scripts of PyTorch-GAN beside ours: the same networks, batch, rates and real digits.

A peer is one of its scripts, and the config with which ours does the same work: `same_losses` takes
a script's weights and minibatch over and compares the losses.
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
    """A script, and how ours is set to do its work.

    Args:
        model: section of the config.
        network: section of the config.
        size: height and width of the digits.
        speedup: of ours, at least.
        weights: of the script's losses in terms of ours, the discriminator's and the generator's.
        minibatches: of the discriminator for one step of the generator.
    """

    model: dict[str, Any]
    network: dict[str, Any]
    size: int
    speedup: float
    weights: tuple[float, float] = (1.0, 1.0)
    minibatches: int = 1
    batch: int = field(default=64, init=False)

    def config(self, overrides: list[str]) -> RunConfig:
        """Return the config of ours."""
        GANS.update(GAMES)
        NETWORKS.update(FAMILIES)
        optimizers = {"discriminator_optimizer": ADAM, "generator_optimizer": ADAM}
        source = {
            "title": "a peer's work",
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
        {**LINEAR, "labels": "beside", "hidden": [512, 512, 512], "dropout": 0.4},
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
"""By the name of the script."""


def script_of(checkout: Path, name: str) -> Path:
    """Return where a checkout has a script."""
    return checkout / "implementations" / name / f"{name}.py"
