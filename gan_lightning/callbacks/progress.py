"""Progress bar that counts the updates of a run."""

from __future__ import annotations

import sys
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from gan_lightning.core.module import BaseModule, short_name

__all__ = ["UpdateProgressBar"]


class UpdateProgressBar(ProgressBar):
    """Show finished updates, updates per second, remaining time and the latest losses.

    Args:
        updates: updates of the whole run.
    """

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._updates = updates
        self._bar: tqdm[Any] | None = None
        self._losses: dict[str, float] = {}
        self._enabled = True

    def disable(self) -> None:
        """Hide the bar; Lightning calls this in all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the bar at the update from which training starts."""
        assert isinstance(pl_module, BaseModule)
        self._bar = tqdm(
            total=self._updates,
            initial=pl_module.updates,
            unit="update",
            dynamic_ncols=True,
            mininterval=0.2 if sys.stderr.isatty() else 10.0,
            disable=not self._enabled,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance the bar, and show new losses."""
        assert isinstance(pl_module, BaseModule)
        if self._bar is None:
            return
        if pl_module.losses is not self._losses:
            self._losses = pl_module.losses
            text = {short_name(name): f"{value:.3f}" for name, value in self._losses.items()}
            self._bar.set_postfix(text, refresh=False)
        self._bar.update(pl_module.updates - self._bar.n)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error message starts on a new line."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the bar; it stays on the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
