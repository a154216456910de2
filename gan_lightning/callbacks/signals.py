"""Ctrl-C, SIGTERM and SIGUSR1 (SLURM) end a run after the update in progress, and save it."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

__all__ = ["StopOnSignal", "StopRequested", "raise_if_stopping"]

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform != "win32":
    SIGNALS += (signal.SIGUSR1,)


class StopRequested(Exception):  # noqa: N818 (no error: the run ends as it was told to)
    """The run has been told to stop; what was being done is left, for when the run goes on."""


class StopOnSignal(Callback):
    """Asks the trainer to stop at the next batch boundary; a second signal ends the process.

    Nothing is saved inside a handler: the update is finished, then all processes save together.

    Attributes:
        received: the signal, by whichever process; or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._heard = False
        self._before: dict[signal.Signals, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Note what handles the signals, before Lightning's own handlers come."""
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals over."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop when any process has been signalled."""
        self.synchronize(trainer)

    def synchronize(self, trainer: Trainer) -> None:
        """Stop the trainer when any process has been signalled; all have to ask together."""
        number = int(self.received or 0)
        if trainer.world_size > 1:  # alone, nothing waits for a GPU here
            heard = torch.tensor(number, device=trainer.strategy.root_device)
            number = int(trainer.strategy.reduce(heard, reduce_op="max"))
        if number:
            self.received = signal.Signals(number)
            trainer.should_stop = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._heard:  # not what another process has told: this one's own may come after that
            os._exit(128 + number)
        self._heard = True
        self.received = self.received or signal.Signals(number)


def raise_if_stopping(trainer: Trainer, apart: bool = False) -> None:
    """Ask, on all processes together, whether the run is to stop.

    Args:
        trainer: of the run.
        apart: the processes do not come here equally often. Only one that has been signalled asks
            then; the others answer where they next ask together, which must be before they
            exchange anything else.

    Raises:
        Stopped: it is, on every process.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set outside of __init__
        signals = callback if isinstance(callback, StopOnSignal) else None
        if signals and not trainer.should_stop and (signals.received or not apart):
            signals.synchronize(trainer)
    if trainer.should_stop:
        raise StopRequested
