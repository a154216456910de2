"""Checkpoints that are always whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from gan_lightning.callbacks.cadence import Periodic
from gan_lightning.learner import Learner

__all__ = ["AtomicCheckpointIO", "Checkpoints", "latest_checkpoint"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to the disk, then renames: a reader never sees a part."""

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save a checkpoint to a local path.

        Raises:
            OSError: the folder cannot be written or is full; what was there before is untouched.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                torch.save(dict(checkpoint), file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Checkpoints(Periodic, Checkpoint):
    """Saves all that decides a run's future, and keeps the latest few.

    Lightning's loop counters are left out: the model's own count of updates says where the data
    stream goes on.

    Args:
        folder: for files `update_0000500.ckpt`.
        every: updates between two.
        keep: number of latest checkpoints that stay.
    """

    acts_when_stopped: ClassVar[bool] = True

    def __init__(self, folder: Path, every: int, keep: int) -> None:
        super().__init__(every)
        self.folder = folder
        self.keep = keep

    def act(self, trainer: Trainer, learner: Learner) -> None:
        """Save, then delete what is older than the latest `keep`."""
        trainer.save_checkpoint(self.folder / f"update_{learner.updates:07d}.ckpt")
        if trainer.is_global_zero:
            for old in checkpoints(self.folder)[: -self.keep]:
                old.unlink()

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Leave Lightning's loop counters out."""
        checkpoint.pop("loops", None)


def checkpoints(folder: Path) -> list[Path]:
    """List a run's checkpoints, the latest last."""
    return sorted(folder.glob("update_*.ckpt"))


def latest_checkpoint(folder: Path) -> Path | None:
    """Find the latest checkpoint of a folder, or None."""
    return next(reversed(checkpoints(folder)), None)
