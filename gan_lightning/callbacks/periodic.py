"""Base class of callbacks that act at regular intervals of updates."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks.signals import StopRequested, raise_if_stopping
from gan_lightning.core.module import BaseModule

__all__ = ["Periodic"]


class Periodic(Callback):
    """Call `on_interval` every `every_n_updates` updates, and once more after the last update.

    It is called at the end of the Lightning batch in which a multiple of `every_n_updates` is
    reached, and not twice for the same update.

    When a signal stops the run, calls that are due or in progress are dropped, unless the class
    sets `call_when_stopping`; the resumed run makes them up first.

    Args:
        every_n_updates: updates between two calls; 0 calls it after the last update only.

    Attributes:
        last_call: update of the latest call, or of the run's start; kept in checkpoints.
    """

    call_when_stopping: ClassVar[bool] = False

    def __init__(self, every_n_updates: int) -> None:
        self.every_n_updates = every_n_updates
        self.last_call: int | None = None

    @abstractmethod
    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Do the work of the callback at update `model.updates`.

        Raises:
            StopRequested: a signal stops the run; the work has had no effect.
        """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make up a call that was dropped when the run was stopped."""
        model = _base_module(pl_module)
        self.last_call = model.updates if self.last_call is None else self.last_call
        self._call_if_due(trainer, model)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Call `on_interval` if a multiple of `every_n_updates` has been reached."""
        self._call_if_due(trainer, _base_module(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Call `on_interval` after the last update."""
        model = _base_module(pl_module)
        if self.last_call != model.updates:
            self._call(trainer, model)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that checkpoints keep."""
        return {"acted": self.last_call}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.last_call = state_dict["acted"]

    def act(self, trainer: Trainer, model: BaseModule) -> None:
        """Call `on_interval`; a subclass may handle its errors here."""
        self.on_interval(trainer, model)

    def _call_if_due(self, trainer: Trainer, model: BaseModule) -> None:
        assert self.last_call is not None
        interval = self.every_n_updates
        if interval and model.updates // interval > self.last_call // interval:
            self._call(trainer, model)

    def _call(self, trainer: Trainer, model: BaseModule) -> None:
        previous, self.last_call = self.last_call, model.updates
        try:
            if not self.call_when_stopping:
                raise_if_stopping(trainer)
            self.act(trainer, model)
        except StopRequested:
            self.last_call = previous
        except BaseException:
            self.last_call = previous  # the resumed run makes the call up
            raise


def _base_module(module: LightningModule) -> BaseModule:
    assert isinstance(module, BaseModule)
    return module
