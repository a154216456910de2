"""When a callback acts: every so many updates, whatever a Lightning batch holds."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks.signals import StopRequested, raise_if_stopping
from gan_lightning.core.module import BaseModule

__all__ = ["Periodic"]


class Periodic(Callback):
    """Acts after every `every`-th update and once more after the last, if it has not just acted.

    Args:
        every: updates between two acts; 0 acts after the last only.

    A run that is told to stop ends without a last act, and without one that is due or in progress,
    unless `acts_when_stopped`. A resumed run begins with what was left so.

    Attributes:
        acted: update of the latest act, or the run's first; checkpoints keep it.
    """

    runs_when_stopping: ClassVar[bool] = False

    def __init__(self, every: int) -> None:
        self.every = every
        self.acted: int | None = None

    @abstractmethod
    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Do what is due at `learner.updates`.

        Raises:
            Stopped: the run has been told to stop, and the act has left no trace.
        """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do what was left when the run was stopped."""
        learner = _learner(pl_module)
        self.acted = learner.updates if self.acted is None else self.acted
        self._act_if_due(trainer, learner)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Act when a multiple of `every` has been passed."""
        self._act_if_due(trainer, _learner(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Act on the final weights."""
        learner = _learner(pl_module)
        if self.acted != learner.updates:
            self._act(trainer, learner)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"acted": self.acted}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on as the checkpoint says."""
        self.acted = state_dict["acted"]

    def _act_if_due(self, trainer: Trainer, learner: BaseModule) -> None:
        assert self.acted is not None
        if self.every and learner.updates // self.every > self.acted // self.every:
            self._act(trainer, learner)

    def _act(self, trainer: Trainer, learner: BaseModule) -> None:
        before, self.acted = self.acted, learner.updates
        try:
            if not self.runs_when_stopping:
                raise_if_stopping(trainer)
            self.run(trainer, learner)
        except StopRequested:
            self.acted = before


def _learner(module: LightningModule) -> BaseModule:
    assert isinstance(module, BaseModule)
    return module
