"""What watches a run: the callbacks and loggers that its config asks for, and its log.txt."""

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


def default_callbacks(
    config: RunConfig, folder: RunDirectory, data: BaseDataModule
) -> list[Callback]:
    """List what watches the run; signals come first, the checkpoint after what it must include."""
    callbacks: list[Callback] = [StopOnSignal(), UpdateProgressBar(config.trainer.max_updates)]
    callbacks += [StopOnNonFinite(folder.checkpoints), RunTimer(folder.path)]
    measured = Evaluation(data, config.evaluation)
    callbacks.append(measured)
    if config.model.name in GANS:
        callbacks.append(WarnOnCollapse(measured, data.num_modes))
        every = config.pictures.every_n_updates
        if data.spec.source_shape is not None:
            callbacks.append(TranslationGrid(folder.samples, every, data.test_data()))
        elif data.spec.is_image:
            if isinstance(data, DigitDomains):
                callbacks.append(PairGrid(folder.samples, every))
            callbacks.append(SampleGrid(folder.samples, every, config.pictures.samples))
            callbacks.append(TraversalGrid(folder.samples, every))
        elif data.spec.shape == (2,):
            callbacks.append(Scatter(folder.samples, every, data.test_data().data))
        if config.network.name == "dirac":
            callbacks.append(PhasePortrait(folder.samples, every))
        if GANS[config.model.name].log_weight_histogram:
            callbacks.append(WeightHistogram(folder.samples, every))
    if config.model.name == "adversarial_classifier":
        test = data.test_data()
        callbacks.append(AttackedDigits(folder.samples, config.pictures.every_n_updates, test))
    checkpoints = config.checkpoints
    callbacks.append(
        Checkpoints(
            folder.checkpoints,
            checkpoints.every_n_updates,
            checkpoints.keep,
            measured,
            folder.run_id(),
        )
    )
    return callbacks


def default_loggers(
    config: RunConfig, experiment: str, folder: RunDirectory, first_update: int
) -> list[Logger]:
    """List what a run's figures go to: its metrics.csv, and W&B where it is wanted."""
    loggers: list[Logger] = [MetricsFile(folder.metrics, first_update)]
    mode = wandb_mode(config.log)
    if mode != "disabled":
        identity = folder.run_id() or ""
        loggers.append(WandbRun(config.log, mode, experiment, folder.path, identity))
    return loggers


@contextmanager
def log_to_file(path: Path | None) -> Iterator[None]:
    """Send Lightning's remarks and Python's warnings to the run's log, not to the screen.

    Args:
        path: of the log; None for a process that is not the first: the run has one log.
    """
    handler = logging.NullHandler() if path is None else logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    names = (
        "gan_lightning",
        "pytorch_lightning",
        "lightning_fabric",
        "py.warnings",
        "torch._dynamo",
    )
    before = {}
    for name in names:
        logger = logging.getLogger(name)
        before[name] = (logger.handlers, logger.propagate, logger.level)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            yield
    finally:
        logging.captureWarnings(False)
        for name, (handlers, propagate, level) in before.items():
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        handler.close()
