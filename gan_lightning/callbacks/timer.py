"""How long a run took, over its whole life."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.core.module import BaseModule
from gan_lightning.runs.state import RunOutcome, read_outcome, write_outcome

__all__ = ["RunTimer"]


class RunTimer(Callback):
    """Writes a run's updates and seconds whenever it saves a checkpoint.

    So a run that is killed loses of its time what it loses of its updates.

    Args:
        folder: of the run; the time that is written there already goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = read_outcome(folder).seconds
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds of the run's whole life until now."""
        return self._before + time.perf_counter() - self._start

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write where the run stands."""
        assert isinstance(pl_module, BaseModule)
        if trainer.is_global_zero:
            write_outcome(self.folder, RunOutcome(pl_module.updates, self.seconds()))
