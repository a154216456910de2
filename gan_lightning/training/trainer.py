"""Build the Lightning Trainer of a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger, WandbLogger

from gan_lightning.callbacks import AtomicCheckpointIO
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.distributed.strategy import AlternatingDDP
from gan_lightning.loggers import WandbRun
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.checks import resolve_accelerator, resolve_precision
from gan_lightning.training.defaults import default_loggers
from gan_lightning.training.launch import is_distributed, slurm_plugins
from gan_lightning.types import DataSpec

__all__ = ["build_trainer"]


def build_trainer(
    config: RunConfig,
    experiment: str,
    run: RunDirectory,
    data: DataSpec,
    callbacks: list[Callback],
    first_update: int = 0,
    own_loggers: Sequence[Logger] = (),
) -> Trainer:
    """Build the Trainer of a run with its loggers, and start the W&B run.

    Args:
        config: config of the run.
        experiment: name of the experiment.
        run: directory of the run.
        data: shape and classes of the data.
        callbacks: callbacks of the run, see `default_callbacks`.
        first_update: update from which the run is resumed, or 0.
        own_loggers: loggers of the user; the first of them is `trainer.logger`.
    """
    precision = resolve_precision(config, data.is_image)
    logging.getLogger("gan_lightning").info("precision %s", precision)
    loggers = [*own_loggers, *default_loggers(config, experiment, run, first_update)]
    if any(isinstance(logger, WandbLogger) for logger in own_loggers):
        loggers = [logger for logger in loggers if not isinstance(logger, WandbRun)]
    trainer = Trainer(
        accelerator=resolve_accelerator(config),
        devices=config.trainer.devices,
        num_nodes=config.trainer.nodes,
        strategy=AlternatingDDP() if is_distributed(config) else "auto",
        sync_batchnorm=config.trainer.sync_batch_norm,
        precision=precision,  # type: ignore[arg-type]  # one of Lightning's literals, checked
        max_epochs=1,
        # an evaluation of the run is a validation to EarlyStopping and ModelCheckpoint, which would
        # else wait for the end of the epoch
        check_val_every_n_epoch=None,
        val_check_interval=max(1, config.evaluation.every_n_updates),
        limit_val_batches=0,
        logger=loggers,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(), *slurm_plugins()],
        enable_model_summary=False,
        log_every_n_steps=1,  # nothing is logged through Lightning: see BaseModule.log_update
        use_distributed_sampler=False,
        default_root_dir=run.path,
    )
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.start(_resolved_config(config, precision))
    return trainer


def _resolved_config(config: RunConfig, precision: str) -> dict[str, Any]:
    """Return the config as plain values, with the resolved precision."""
    plain = as_plain(config)
    plain["trainer"]["precision"] = precision
    return plain
