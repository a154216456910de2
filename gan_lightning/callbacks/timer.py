"""Training time of a run over all its sessions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.core.module import BaseModule
from gan_lightning.runs.state import RunOutcome, read_outcome, write_outcome

__all__ = ["RunTimer"]


class RunTimer(Callback):
    """Write the updates and seconds of a run to its outcome.json with every checkpoint.

    A run that is killed loses the time since its latest checkpoint, as it loses the updates.

    Args:
        run: the run directory; the time in its outcome.json is continued.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._previous_seconds = read_outcome(run).seconds
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Return the training time of all sessions so far, in seconds."""
        return self._previous_seconds + time.perf_counter() - self._start

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write outcome.json."""
        assert isinstance(pl_module, BaseModule)
        if trainer.is_global_zero:
            write_outcome(self._run, RunOutcome(pl_module.updates, self.seconds()))
