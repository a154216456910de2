"""Callbacks that observe a training: a checkpoint, the state at its end, an average by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from gan_lightning.gans import GAN
from gan_lightning.testing.training import Weights, copy_state

__all__ = ["PLAYERS", "AverageByHand", "SaveCheckpoint", "StateAtEnd"]

PLAYERS = ("discriminator", "generator")
"""Names of the players in the order of their optimizers."""


class SaveCheckpoint(Callback):
    """Saves a checkpoint after an update."""

    def __init__(self, path: Path, update: int) -> None:
        self.path, self.update = path, update

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Save at the update."""
        assert isinstance(pl_module, GAN)
        if pl_module.updates == self.update:
            trainer.save_checkpoint(self.path)


class StateAtEnd(Callback):
    """Copies weights, buffers and the optimizers' states at the end of a training."""

    def __init__(self) -> None:
        self.state: Weights = {}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the state."""
        self.state = copy_state(pl_module)
        for player, optimizer in zip(PLAYERS, trainer.optimizers, strict=True):
            for number, part in optimizer.state_dict()["state"].items():
                for name, value in part.items():
                    key = f"{name} of weight {number} in the {player}'s optimizer"
                    self.state[key] = torch.as_tensor(value).clone()


class AverageByHand(Callback):
    """Averages the generator's parameters after each update, by the formula of `ema_decay`."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.expected: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Move the averages."""
        assert isinstance(pl_module, GAN)
        before = pl_module.updates - 1
        weights = [value.detach().clone() for value in pl_module.generator.parameters()]
        if before == 0:
            self.expected = weights
        decay = min(self.decay, (1 + before) / (10 + before)) if before else 0.0
        pairs = zip(self.expected, weights, strict=True)
        self.expected = [decay * old + (1 - decay) * new for old, new in pairs]
