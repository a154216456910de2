"""Checkpoints, written atomically."""

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
"""Metrics that choose the best checkpoint; the first that was measured decides.

-1 where a smaller value is better, 1 where a larger value is better.
"""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically and flush them to the disk, so that no reader sees a part.

    The file is a zip archive; readers verify it by the CRC-32 of its records.
    """

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save a checkpoint to a local path.

        Raises:
            UserError: the disk is full or cannot be written; the message names the file and the
                previous checkpoint, which is intact.
        """
        target, content = Path(path), dict(checkpoint)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(target, lambda file: torch.save(content, file), durable=True)
        except Exception as error:  # torch wraps the OSError into errors of its own
            if (cause := storage_error(error)) is None:
                raise
            previous = list_checkpoints(target.parent)
            intact = f"{previous[-1]} is intact" if previous else "there is no earlier checkpoint"
            raise UserError(
                f"cannot write checkpoint {target}: {cause.strerror}; {intact}: "
                f"{storage_fix(cause)}, then resume the run by "
                f"`gan-lightning train EXP --resume {target.parent.parent}`"
            ) from error


class Checkpoints(Periodic, Checkpoint):
    """Save the complete state of training; keep the latest checkpoints and the best one.

    Lightning's loop counters are left out: the model's count of updates determines the position in
    the data.

    Args:
        folder: folder of the files `update_0000500.ckpt` and `best.ckpt`.
        every_n_updates: updates between two checkpoints.
        keep: number of latest checkpoints to keep.
        evaluation: evaluation whose metrics choose the best checkpoint, see `QUALITY`.
        run_id: id of the run, also its id at W&B; stored in the checkpoints.

    Attributes:
        best: metric of the best checkpoint so far, or None.
    """

    call_when_stopping: ClassVar[bool] = True

    def __init__(
        self,
        folder: Path,
        every_n_updates: int,
        keep: int,
        evaluation: Evaluation | None = None,
        run_id: str | None = None,
    ) -> None:
        super().__init__(every_n_updates)
        self.folder = folder
        self.keep = keep
        self.run_id = run_id
        self.best: float | None = None
        self._evaluation = evaluation

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Save a checkpoint, then delete all but the latest `keep`."""
        for logger in trainer.loggers:
            logger.save()  # a resumed run does not log these rows again
        trainer.save_checkpoint(self.folder / f"update_{model.updates:07d}.ckpt")
        if trainer.is_global_zero:
            for old in list_checkpoints(self.folder)[: -self.keep]:
                old.unlink()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best checkpoint if a resumed run has made up an evaluation."""
        super().on_train_start(trainer, pl_module)
        self._save_if_best(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save the best checkpoint, then the one that is due."""
        self._save_if_best(trainer, pl_module)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best checkpoint, then the last one."""
        self._save_if_best(trainer, pl_module)
        super().on_train_end(trainer, pl_module)

    def _save_if_best(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseModule)
        if self._evaluation is None or self._evaluation.evaluated_at != pl_module.updates:
            return
        measures = self._evaluation.measures
        name = next((name for name in QUALITY if name in measures), None)
        if name is None or not isfinite(measures[name]):
            return
        if self.best is None or QUALITY[name] * (measures[name] - self.best) > 0:
            self.best = measures[name]
            trainer.save_checkpoint(self.folder / BEST)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that checkpoints keep."""
        return {**super().state_dict(), "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        super().load_state_dict(state_dict)
        self.best = state_dict.get("best")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the run's id and the update as global step, and drop Lightning's loop counters."""
        assert isinstance(pl_module, BaseModule)
        checkpoint.pop("loops", None)
        checkpoint["global_step"] = pl_module.updates
        checkpoint["run"] = self.run_id


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of a run except the best, the oldest first."""
    return sorted(folder.glob("update_*.ckpt"))
