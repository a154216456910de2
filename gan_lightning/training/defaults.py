"""The callbacks and loggers of a run, and its log file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from gan_lightning.callbacks import (
    Checkpoints,
    Evaluation,
    GameMeasures,
    LiveDiagnosis,
    PictureContext,
    RunTimer,
    StopOnNonFinite,
    StopOnSignal,
    UpdateProgressBar,
    picture_callbacks,
)
from gan_lightning.config.load import to_yaml
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.config.sections import selected_class
from gan_lightning.config.wandb_mode import wandb_mode
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.gans import GAN
from gan_lightning.loggers import MetricsFile, WandbRun
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.advice import advise

__all__ = ["default_callbacks", "default_loggers", "log_to_file"]

LOGGERS = (
    "gan_lightning",
    "pytorch_lightning",
    "lightning_fabric",
    "py.warnings",
    "torch._dynamo",
)
"""Names of the loggers whose messages go to a run's log file."""


def default_callbacks(
    config: RunConfig, run: RunDirectory, model: BaseModule, data: BaseDataModule
) -> list[Callback]:
    """Build the callbacks of a run.

    Their order matters: signals are handled first, and checkpoints are saved last, after the
    callbacks whose state they contain.

    Args:
        config: config of the run.
        run: directory of the run.
        model: model of the run.
        data: data module of the run.
    """
    callbacks: list[Callback] = [StopOnSignal(), UpdateProgressBar(config.trainer.max_updates)]
    advice = partial(advise, config, data)
    callbacks += [StopOnNonFinite(run.checkpoints, advice), RunTimer(run.path)]
    evaluation = Evaluation(data, config.evaluation)
    callbacks.append(evaluation)
    if isinstance(model, GAN):
        callbacks.append(LiveDiagnosis(run.metrics, as_plain(config), evaluation, advice))
        family = selected_class("network", config.network)
        names = (*data.pictures(), *family.pictures, *model.pictures())
    else:
        names = model.pictures()
    if config.game.enabled:
        callbacks.append(GameMeasures(run.samples, data, config.game))
    pictures = config.pictures
    context = PictureContext(data, run.samples, pictures.every_n_updates, pictures.samples)
    callbacks += picture_callbacks(names, context)
    callbacks.append(
        Checkpoints(
            run.checkpoints,
            config.checkpoints.every_n_updates,
            config.checkpoints.keep,
            evaluation,
            run.run_id(),
            to_yaml(config),
        )
    )
    return callbacks


def default_loggers(
    config: RunConfig, experiment: str, run: RunDirectory, first_update: int
) -> list[Logger]:
    """Build the loggers of a run: metrics.csv, and W&B unless it is disabled.

    Args:
        config: config of the run.
        experiment: name of the experiment; groups the runs at W&B.
        run: directory of the run.
        first_update: update from which the run is resumed, or 0.
    """
    loggers: list[Logger] = [MetricsFile(run.metrics, first_update)]
    mode = wandb_mode(config.log)
    if mode != "disabled":
        run_id = run.run_id() or ""
        loggers.append(WandbRun(config.log, mode, experiment, run.path, run_id))
    return loggers


@contextmanager
def log_to_file(path: Path | None) -> Iterator[None]:
    """Write log messages and Python warnings to a file instead of the terminal inside the block.

    Args:
        path: the log file; None to discard the messages, in all processes but the first.
    """
    handler = logging.NullHandler() if path is None else logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    previous = {}
    for name in LOGGERS:
        logger = logging.getLogger(name)
        previous[name] = (logger.handlers, logger.propagate, logger.level)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            yield
    finally:
        logging.captureWarnings(False)
        for name, (handlers, propagate, level) in previous.items():
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        handler.close()
