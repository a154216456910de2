"""When a callback acts: every so many updates, whatever a Lightning batch holds."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.learner import Learner

__all__ = ["Periodic"]


class Periodic(Callback):
    """Acts after every `every`-th update and once more after the last, if it has not just acted.

    Args:
        every: updates between two acts; 0 acts after the last only.

    A run that is told to stop early ends without a last act, unless `acts_when_stopped`.
    """

    acts_when_stopped: ClassVar[bool] = False

    def __init__(self, every: int) -> None:
        self.every = every
        self._seen = 0
        self._acted: int | None = None

    @abstractmethod
    def act(self, trainer: Trainer, learner: Learner) -> None:
        """Do what is due at `learner.updates`."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting where the model stands."""
        self._seen = _learner(pl_module).updates

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Act when a multiple of `every` has been passed."""
        learner = _learner(pl_module)
        if self.every and learner.updates // self.every > self._seen // self.every:
            self._act(trainer, learner)
        self._seen = learner.updates

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Act on the final weights."""
        learner = _learner(pl_module)
        if trainer.should_stop and not self.acts_when_stopped:
            return
        if self._acted != learner.updates:
            self._act(trainer, learner)

    def _act(self, trainer: Trainer, learner: Learner) -> None:
        self._acted = learner.updates
        self.act(trainer, learner)


def _learner(module: LightningModule) -> Learner:
    assert isinstance(module, Learner)
    return module
