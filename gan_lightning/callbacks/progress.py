"""One bar for the whole run, counted in updates."""

from __future__ import annotations

import sys
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from gan_lightning.core.module import BaseModule

__all__ = ["UpdateProgressBar"]


class UpdateProgressBar(ProgressBar):
    """Shows updates done and a second, time left, and the latest logged losses.

    Args:
        updates: of the whole run.
    """

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._updates = updates
        self._bar: tqdm[Any] | None = None
        self._shown: dict[str, float] = {}
        self._enabled = True

    def disable(self) -> None:
        """Draw nothing: Lightning asks it of all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Draw again."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the bar where the model stands."""
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
        """Move the bar on."""
        assert isinstance(pl_module, BaseModule)
        if self._bar is None:
            return
        if pl_module.losses is not self._shown:
            self._shown = pl_module.losses
            shown = {_short(name): f"{value:.3f}" for name, value in self._shown.items()}
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update(pl_module.updates - self._bar.n)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave the bar where it is, so that the error begins a line."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the finished bar on the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _short(name: str) -> str:
    """Abbreviate loss/generator/adversarial to G adversarial."""
    player, _, term = name.removeprefix("loss/").partition("/")
    return f"{player[0].upper()} {term}"
