"""What every trained model has: a seed, counters that a checkpoint keeps, and a log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from gan_lightning.batch import DataSpec

__all__ = ["Learner", "evaluation_mode"]


class Learner(LightningModule, ABC):
    """A model trained by manual optimisation, its progress counted in updates.

    An update is one generator update for a GAN, one optimizer step for a classifier. Lightning's
    own `global_step` counts every optimizer's steps and is used for nothing.

    Args:
        data: shape and classes of the data.
        seed: of all random draws in training.

    Attributes:
        updates: made so far.
        images_seen: real data seen so far, on all processes together.
        log_every: updates between two rows of the log.
        losses: the latest logged loss terms, by name.
    """

    Config: ClassVar[type[Any]]
    automatic_optimization = False

    def __init__(self, data: DataSpec, seed: int) -> None:
        super().__init__()
        self.data = data
        self.seed = seed
        self.updates = 0
        self.images_seen = 0
        self.log_every = 50
        self.losses: dict[str, float] = {}

    @abstractmethod
    def network_to_ship(self) -> nn.Module:
        """Return the network that a user wants of a finished run."""

    def finish_update(self, images: int, terms: Mapping[str, Tensor]) -> None:
        """Count one update on `images` data of this process, and log its losses when due."""
        self.updates += 1
        self.images_seen += images * self.trainer.world_size
        if self.updates % self.log_every == 0:
            values = torch.stack([value.detach().float() for value in terms.values()]).tolist()
            self.losses = dict(zip(terms, values, strict=True))
            for logger in self.loggers:
                logger.log_metrics(
                    {**self.losses, "images_seen": self.images_seen}, step=self.updates
                )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters."""
        checkpoint["progress"] = {"updates": self.updates, "images_seen": self.images_seen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the counters."""
        self.updates = checkpoint["progress"]["updates"]
        self.images_seen = checkpoint["progress"]["images_seen"]


@contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Put networks into evaluation mode inside the block, and every part back into its own."""
    modes = [(part, part.training) for network in networks for part in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
