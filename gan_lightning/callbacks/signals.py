"""Stop a run after the update in progress on SIGINT (Ctrl-C), SIGTERM or SIGUSR1 (SLURM)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

__all__ = ["StopOnSignal", "StopRequested", "raise_if_stopping"]

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform != "win32":
    SIGNALS += (signal.SIGUSR1,)


class StopRequested(Exception):  # noqa: N818 - no error: the user stops the run
    """A signal stops the run; work in progress is dropped and done when the run is resumed."""


class StopOnSignal(Callback):
    """Stop training at the next batch boundary after a signal; a second signal ends the process.

    Nothing is saved in the signal handler: the update is finished, then all processes save
    together.

    Attributes:
        received: the signal, whichever process got it; None without a signal.
        is_known: whether all processes know of the signal, and stop.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.is_known = False
        self._received_here = False
        self._previous_handlers: dict[signal.Signals, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save the present signal handlers, before Lightning installs its own.

        Python allows handlers in the main thread only, so a run in another one takes no signals.
        """
        if threading.current_thread() is threading.main_thread():
            self._previous_handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the signal handlers."""
        for number in self._previous_handlers:
            signal.signal(number, self._handle)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop training if any process has received a signal."""
        self.synchronize(trainer)

    def synchronize(self, trainer: Trainer) -> None:
        """Exchange received signals among all processes, and stop training if there is one."""
        number = int(self.received or 0)
        if trainer.world_size > 1:  # a single process need not wait for its GPU
            tensor = torch.tensor(number, device=trainer.strategy.root_device)
            number = int(trainer.strategy.reduce(tensor, reduce_op="max"))
        if number:
            self.received = signal.Signals(number)
            self.is_known = trainer.should_stop = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # a signal of another process does not count: this one may still get its own copy of it
        if self._received_here:
            os._exit(128 + number)
        self._received_here = True
        self.received = self.received or signal.Signals(number)


def raise_if_stopping(trainer: Trainer, apart: bool = False) -> None:
    """Raise StopRequested on all processes if one of them has received a signal.

    This is a collective operation, except with `apart`.

    Args:
        trainer: Trainer of the run.
        apart: for code that processes call different numbers of times. Only a process that has
            received a signal then takes part in the exchange; the others join it in their next
            collective call of this function, which must come before any other collective operation.

    Raises:
        StopRequested: a signal stops the run.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set outside of __init__
        signals = callback if isinstance(callback, StopOnSignal) else None
        if signals and not signals.is_known and (signals.received or not apart):
            signals.synchronize(trainer)
        if signals and signals.is_known:
            raise StopRequested
