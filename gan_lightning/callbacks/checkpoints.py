"""Checkpoints that are always whole."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import UserError, storage_error, storage_fix
from gan_lightning.utils.files import atomic_write

__all__ = ["BEST", "AtomicCheckpointIO", "Checkpoints", "list_checkpoints"]

BEST = "best.ckpt"

QUALITY = {
    "fd_digits": -1,
    "fid/tf_bilinear": -1,
    "fid/antialias": -1,
    "translation/l1": -1,
    "wasserstein/exact": -1,
    "equilibrium/distance": -1,
    "classifier/test_accuracy": 1,
}
"""What the best checkpoint is the best by, the first that is measured: -1 where less is better."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to the disk, then renames: a reader never sees a part.

    The file is a zip archive; the CRC-32 of each of its records is what a reader checks it by.
    """

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save a checkpoint to a local path.

        Raises:
            UserError: the disk is full or not to be written; the message names the file, and the
                one before, which is untouched.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            content = dict(checkpoint)
            atomic_write(target, lambda file: torch.save(content, file), durable=True)
        except Exception as error:  # torch wraps what the disk says into errors of its own
            if (cause := storage_error(error)) is None:
                raise
            before = list_checkpoints(target.parent)
            left = f"{before[-1]} is whole" if before else "there is none before it"
            raise UserError(
                f"cannot write checkpoint {target}: {cause.strerror}; {left}: "
                f"{storage_fix(cause)}, then go on by "
                f"`gan-lightning train EXP --resume {target.parent.parent}`"
            ) from error


class Checkpoints(Periodic, Checkpoint):
    """Saves all that decides a run's future; keeps the latest few, and the best.

    Lightning's loop counters are left out: the model's own count of updates says where the data
    stream goes on.

    Args:
        folder: for files `update_0000500.ckpt` and `best.ckpt`.
        every: updates between two.
        keep: number of latest checkpoints that stay.
        evaluation: whose measures tell the best, after each of its acts; see `QUALITY`.
        run_id: id of the run, by which W&B knows it.

    Attributes:
        best: measure of the best so far, or None.
    """

    runs_when_stopping: ClassVar[bool] = True

    def __init__(
        self,
        folder: Path,
        every: int,
        keep: int,
        evaluation: Evaluation | None = None,
        run_id: str | None = None,
    ) -> None:
        super().__init__(every)
        self.folder = folder
        self.keep = keep
        self.run_id = run_id
        self.best: float | None = None
        self._evaluation = evaluation

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Save, then delete what is older than the latest `keep`."""
        for logger in trainer.loggers:
            logger.save()  # what a resumed run does not say again
        trainer.save_checkpoint(self.folder / f"update_{learner.updates:07d}.ckpt")
        if trainer.is_global_zero:
            for old in list_checkpoints(self.folder)[: -self.keep]:
                old.unlink()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best, where a run begins with an evaluation that was left."""
        super().on_train_start(trainer, pl_module)
        self._save_if_best(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save the best, then what is due."""
        self._save_if_best(trainer, pl_module)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best, then the last."""
        self._save_if_best(trainer, pl_module)
        super().on_train_end(trainer, pl_module)

    def _save_if_best(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseModule)
        if self._evaluation is None or self._evaluation.measured != pl_module.updates:
            return
        measures = self._evaluation.measures
        name = next((name for name in QUALITY if name in measures), None)
        if name is None or not isfinite(measures[name]):
            return
        if self.best is None or QUALITY[name] * (measures[name] - self.best) > 0:
            self.best = measures[name]
            trainer.save_checkpoint(self.folder / BEST)

    def state_dict(self) -> dict[str, Any]:
        """Keep the best measure."""
        return {**super().state_dict(), "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the best measure so far."""
        super().load_state_dict(state_dict)
        self.best = state_dict.get("best")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the run's id; leave Lightning's loop counters out; its step becomes the update."""
        assert isinstance(pl_module, BaseModule)
        checkpoint.pop("loops", None)
        checkpoint["global_step"] = pl_module.updates
        checkpoint["run"] = self.run_id


def list_checkpoints(folder: Path) -> list[Path]:
    """List a run's checkpoints but the best, the latest last."""
    return sorted(folder.glob("update_*.ckpt"))
