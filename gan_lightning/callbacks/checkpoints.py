"""Checkpoints, written atomically."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.loops.progress import _ProcessedTracker

from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import UserError, storage_error, storage_fix, summary
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.files import atomic_write

__all__ = ["BEST", "AtomicCheckpointIO", "Checkpoints", "list_checkpoints"]

BEST = "best.ckpt"
CHECKPOINT_NAME = re.compile(r"update_(\d+)\.ckpt")

QUALITY = {
    "fd_digits": -1,
    "fd_clothes": -1,
    "fd_faces": -1,
    "fid/tf_bilinear": -1,
    "fid/antialias": -1,
    "translation/l1": -1,
    "wasserstein/exact": -1,
    "equilibrium/distance": -1,
    "classifier/test_accuracy": 1,
    "classifier/least_attribute_accuracy": 1,
    "fd/FEATURES": -1,
    "sliced_wasserstein": -1,
}
"""Metrics that choose the best checkpoint; the first that was measured decides.

-1 where a smaller value is better, 1 where a larger value is better. FEATURES is any name.
"""
RANKS = list(QUALITY)


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
            previous, run = list_checkpoints(target.parent), target.parent.parent
            intact = f"{previous[-1]} is intact" if previous else "there is no earlier checkpoint"
            raise UserError(
                f"cannot write checkpoint {target}: {cause.strerror}; {intact}: "
                f"{storage_fix(cause)}, then resume the run by "
                f"`{command_line('gan-lightning', 'train', 'EXP', '--resume', run)}`"
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
        config: config of the run as YAML; stored in the checkpoints.

    Attributes:
        best: metric of the best checkpoint so far, or None.
        best_measure: name of that metric; numbers of different metrics are not compared.
        best_samples: generated samples that it was measured on; neither are those of different
            numbers of samples.
    """

    call_when_stopping: ClassVar[bool] = True

    def __init__(
        self,
        folder: Path,
        every_n_updates: int,
        keep: int,
        evaluation: Evaluation | None = None,
        run_id: str | None = None,
        config: str = "",
    ) -> None:
        super().__init__(every_n_updates)
        self.folder = folder
        self.keep = keep
        self.run_id = run_id
        self.config = config
        self.best: float | None = None
        self.best_measure: str | None = None
        self.best_samples: int | None = None
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

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save the state before an error of another callback ends the run.

        In the middle of an update there is nothing whole to save, nor after a divergence.
        """
        assert isinstance(pl_module, BaseModule)
        progress = trainer.fit_loop.epoch_loop.batch_progress.current
        assert isinstance(progress, _ProcessedTracker)
        between_updates = progress.started == progress.processed and pl_module.updates > 0
        if isinstance(exception, Exception) and between_updates and trainer.is_global_zero:
            try:
                self._save_alone(trainer, pl_module.updates)
            except Exception as error:  # the first error is the one to show
                logging.getLogger("gan_lightning").error("no checkpoint: %s", summary(error))

    def _save_alone(self, trainer: Trainer, updates: int) -> None:
        """Save a checkpoint without the barrier of `Trainer.save_checkpoint`.

        Processes that have not met the error would not reach it.
        """
        path = self.folder / f"update_{updates:07d}.ckpt"
        if path.exists():
            return
        for logger in trainer.loggers:
            logger.save()
        self.last_call = updates
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        trainer.strategy.save_checkpoint(checkpoint, path)

    def _save_if_best(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseModule)
        if self._evaluation is None or self._evaluation.evaluated_at != pl_module.updates:
            return
        measures = self._evaluation.measures
        names = [name for name in measures if _quality(name) in QUALITY]
        name = min(names, key=lambda name: RANKS.index(_quality(name)), default=None)
        if name is None or not isfinite(measures[name]):
            return
        samples = self._evaluation.config.samples
        if self._is_best(name, measures[name], samples):
            self.best, self.best_measure, self.best_samples = measures[name], name, samples
            trainer.save_checkpoint(self.folder / BEST)

    def _is_best(self, name: str, value: float, samples: int) -> bool:
        """Tell whether a metric is better than the best one, if they can be compared.

        A metric of the same or a higher rank replaces another one, and so does one that is measured
        on another number of samples.
        """
        if self.best is None:
            return True
        # in checkpoints of earlier versions the metric has no name, and no number of samples
        same_name = self.best_measure in (None, name)
        if same_name and self.best_samples in (None, samples):
            return QUALITY[_quality(name)] * (value - self.best) > 0
        return RANKS.index(_quality(name)) <= RANKS.index(_quality(self.best_measure or name))

    def state_dict(self) -> dict[str, Any]:
        """Return the state that checkpoints keep."""
        best = {name: getattr(self, name) for name in ("best", "best_measure", "best_samples")}
        return {**super().state_dict(), **best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        super().load_state_dict(state_dict)
        self.best = state_dict.get("best")
        self.best_measure = state_dict.get("best_measure")
        self.best_samples = state_dict.get("best_samples")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the run's id and the update as global step, and drop Lightning's loop counters."""
        assert isinstance(pl_module, BaseModule)
        checkpoint.pop("loops", None)
        checkpoint["global_step"] = pl_module.updates
        checkpoint["run"] = self.run_id
        checkpoint["config"] = self.config


def _quality(metric: str) -> str:
    """Return the key of `QUALITY` that a metric has, if it has one."""
    is_distance = metric.startswith("fd/") and metric.count("/") == 1
    return "fd/FEATURES" if is_distance else metric


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of a run except the best, by number of updates."""
    files = {path: CHECKPOINT_NAME.fullmatch(path.name) for path in folder.glob("update_*.ckpt")}
    numbers = {path: int(name[1]) for path, name in files.items() if name is not None}
    return sorted(numbers, key=numbers.__getitem__)
