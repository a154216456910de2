"""Stop a run whose losses or weights are not finite."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks.advice import Advice, no_advice, send_alert
from gan_lightning.callbacks.checkpoints import list_checkpoints
from gan_lightning.core.module import BaseModule, NonFiniteReport
from gan_lightning.diagnosis import DIVERGED_MESSAGE
from gan_lightning.errors import Diverged
from gan_lightning.utils.commands import command_line

__all__ = ["StopOnNonFinite"]


class StopOnNonFinite(Callback):
    """Stop a run, on all processes, when a loss or a weight is not finite.

    Losses are checked after every update (on a GPU whenever they are logged, without waiting for
    them in between), weights before a checkpoint is written.

    Args:
        folder: folder of the checkpoints.
        advice: what to change in the run, by the state that it is in.
    """

    def __init__(self, folder: Path, advice: Advice = no_advice) -> None:
        self._folder = folder
        self._advice = advice

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the losses.

        Raises:
            Diverged: a loss is not finite on any process.
        """
        assert isinstance(pl_module, BaseModule)
        report = pl_module.non_finite
        stop = report is not None
        if trainer.world_size > 1:
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self._stop(trainer, pl_module, report)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Check the weights, which are the same on every process.

        Raises:
            Diverged: a weight is not finite.
        """
        assert isinstance(pl_module, BaseModule)
        names = [
            name
            for name, value in pl_module.state_dict().items()
            if value.is_floating_point() and not value.isfinite().all()
        ]
        if names:
            self._stop(trainer, pl_module, NonFiniteReport(pl_module.updates, {}, tuple(names)))

    def _stop(self, trainer: Trainer, model: BaseModule, report: NonFiniteReport | None) -> None:
        report = report or NonFiniteReport(model.updates, {}, ())
        previous = list_checkpoints(self._folder)
        last = (
            f"the last good checkpoint is {previous[-1]}" if previous else "there is no checkpoint"
        )
        message = f"update {report.update:,}: {report.describe()}; {last}"
        advice = "; or ".join(["try a smaller learning rate", *self._advice("diverged")])
        words = command_line("gan-lightning", "diagnose", self._folder.parent)
        message = f"{message}. {advice[0].upper()}{advice[1:]}: see `{words}`"
        logging.getLogger("gan_lightning").warning("%s at %s", DIVERGED_MESSAGE, message)
        send_alert(trainer, DIVERGED_MESSAGE, message, model.updates)
        raise Diverged(message)
