"""The callbacks and loggers of a run, and its log file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from gan_lightning.callbacks import (
    AttackedDigits,
    Checkpoints,
    Evaluation,
    PairGrid,
    PhasePortrait,
    RunTimer,
    SampleGrid,
    Scatter,
    StopOnNonFinite,
    StopOnSignal,
    TranslationGrid,
    TraversalGrid,
    UpdateProgressBar,
    WarnOnCollapse,
    WeightHistogram,
)
from gan_lightning.config.schema import RunConfig
from gan_lightning.config.wandb_mode import wandb_mode
from gan_lightning.data import BaseDataModule, DigitDomains
from gan_lightning.gans import GANS
from gan_lightning.loggers import MetricsFile, WandbRun
from gan_lightning.runs.directory import RunDirectory

__all__ = ["default_callbacks", "default_loggers", "log_to_file"]

LOGGERS = (
    "gan_lightning",
    "pytorch_lightning",
    "lightning_fabric",
    "py.warnings",
    "torch._dynamo",
)
"""Names of the loggers whose messages go to a run's log file."""


def default_callbacks(config: RunConfig, run: RunDirectory, data: BaseDataModule) -> list[Callback]:
    """Build the callbacks of a run.

    Their order matters: signals are handled first, and checkpoints are saved last, after the
    callbacks whose state they contain.

    Args:
        config: config of the run.
        run: directory of the run.
        data: data module of the run.
    """
    callbacks: list[Callback] = [StopOnSignal(), UpdateProgressBar(config.trainer.max_updates)]
    callbacks += [StopOnNonFinite(run.checkpoints), RunTimer(run.path)]
    evaluation = Evaluation(data, config.evaluation)
    callbacks.append(evaluation)
    if config.model.name in GANS:
        callbacks.append(WarnOnCollapse(evaluation, data.num_modes))
        callbacks += _picture_callbacks(config, run, data)
    if config.model.name == "adversarial_classifier":
        test = data.test_data()
        callbacks.append(AttackedDigits(run.samples, config.pictures.every_n_updates, test))
    callbacks.append(
        Checkpoints(
            run.checkpoints,
            config.checkpoints.every_n_updates,
            config.checkpoints.keep,
            evaluation,
            run.run_id(),
        )
    )
    return callbacks


def _picture_callbacks(
    config: RunConfig, run: RunDirectory, data: BaseDataModule
) -> list[Callback]:
    """Build the callbacks that draw the samples of a GAN."""
    folder, every_n_updates = run.samples, config.pictures.every_n_updates
    callbacks: list[Callback] = []
    if data.spec.source_shape is not None:
        callbacks.append(TranslationGrid(folder, every_n_updates, data.test_data()))
    elif data.spec.is_image:
        if isinstance(data, DigitDomains):
            callbacks.append(PairGrid(folder, every_n_updates))
        callbacks.append(SampleGrid(folder, every_n_updates, config.pictures.samples))
        callbacks.append(TraversalGrid(folder, every_n_updates))
    elif data.spec.shape == (2,):
        callbacks.append(Scatter(folder, every_n_updates, data.test_data().data))
    if config.network.name == "dirac":
        callbacks.append(PhasePortrait(folder, every_n_updates))
    if GANS[config.model.name].log_weight_histogram:
        callbacks.append(WeightHistogram(folder, every_n_updates))
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
