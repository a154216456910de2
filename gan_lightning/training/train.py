"""A RunConfig becomes a model, its data and a Trainer, and runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from safetensors.torch import save as save_safetensors

from gan_lightning.callbacks import AtomicCheckpointIO, Evaluation, RunTimer, StopOnSignal
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.config.wandb_mode import identity_given
from gan_lightning.core.compile import compile_networks
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.distributed.strategy import AlternatingDDP
from gan_lightning.errors import warn
from gan_lightning.loggers import WandbRun
from gan_lightning.loggers.wandb_run import PATIENCE
from gan_lightning.results.claims import single_run_rows
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.runs.state import RunOutcome, run_lock, write_outcome
from gan_lightning.training.build import build
from gan_lightning.training.checks import (
    check_batch_norm,
    check_data,
    check_devices,
    check_launcher,
    resolve_precision,
    resolve_threads,
)
from gan_lightning.training.defaults import default_callbacks, default_loggers, log_to_file
from gan_lightning.training.launch import (
    Broadcast,
    is_distributed,
    launch,
    process_lost_error,
    slurm_plugins,
)
from gan_lightning.training.resume import TrainingStart, resume_from_latest
from gan_lightning.types import DataSpec
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import allow_tf32, set_up_arithmetic

__all__ = ["TrainingResult", "build_trainer", "train"]

HASTE = 3.0
"""Seconds for W&B's last words when a run is stopped."""


@dataclass(frozen=True)
class TrainingResult:
    """What a run ended with.

    Args:
        folder: of the run.
        updates: made in the run's whole life.
        seconds: of training in this process, evaluation included.
        measures: of the final model, by name; none where a signal ended the run early.
        interrupted: number of the signal that ended it early, or None.
        wandb: what to tell the user about Weights & Biases.
    """

    run_directory: RunDirectory
    updates: int
    seconds: float
    measures: dict[str, float]
    stop_signal: int | None
    wandb_status: str


def train(
    config: RunConfig,
    experiment: str,
    output: Path | None = None,
    resume: RunDirectory | None = None,
    runs: Path = RUNS,
) -> TrainingResult:
    """Train a model to the end of its budget, or until a signal, and leave everything in a folder.

    Args:
        config: of the run.
        experiment: its name, for the folder and for W&B.
        output: folder of the run; by default RUNS/EXPERIMENT/<time>.
        resume: a run to go on with, from its latest whole checkpoint, or from its beginning.
        runs: folder of all runs.

    Raises:
        UserError: nothing has been written then, or the run folder says how far it got.
        ProcessLost: another process of the run has ended.
    """
    set_up_arithmetic()
    allow_tf32(config.trainer.tf32)
    check_launcher(config)
    check_devices(config)
    learner, data = build(config)
    check_data(config, data)
    check_batch_norm(config, learner)
    torch.set_num_threads(resolve_threads(config, data.spec.is_image))
    if not is_first_process():
        with log_to_file(None):
            return launch(
                config, lambda tell: _train(config, experiment, tell(None), learner, data)
            )
    if resume is None:
        begun = TrainingStart(RunDirectory.create(experiment, output, runs))
    else:
        begun = resume_from_latest(config, resume)

    def first(tell: Broadcast) -> TrainingResult:
        tell(begun.with_absolute_paths())
        return _train(config, experiment, begun, learner, data)

    try:
        with run_lock(begun.run_directory.path), log_to_file(begun.run_directory.log):
            return launch(config, first)
    except BaseException:
        if resume is None and learner.updates == 0:
            begun.run_directory.delete()
        raise


def _train(
    config: RunConfig,
    experiment: str,
    begun: TrainingStart,
    learner: BaseModule,
    data: BaseDataModule,
) -> TrainingResult:
    folder = begun.run_directory
    if is_first_process():
        folder.delete_partial_files()
        folder.write_config(config, begun.run_id or identity_given())
    start = time.perf_counter()
    callbacks = default_callbacks(config, folder, data)
    trainer = build_trainer(config, experiment, folder, data.spec, callbacks, begun.updates)
    wandb_runs = [logger for logger in trainer.loggers if isinstance(logger, WandbRun)]
    evaluation = next(c for c in callbacks if isinstance(c, Evaluation))
    signals = next(c for c in callbacks if isinstance(c, StopOnSignal))
    stopwatch = next(c for c in callbacks if isinstance(c, RunTimer))
    begun.check_checkpoint_exists(trainer.global_rank)
    if config.trainer.compile:
        compile_networks(learner.networks_in_training())
    with _closed(wandb_runs, signals):
        _fit(trainer, learner, data, begun.checkpoint)
        seconds = time.perf_counter() - start
        measures = evaluation.measures if signals.received is None else {}
        for wandb_run in wandb_runs:
            wandb_run.write_summary(measures)
            wandb_run.log_claims(single_run_rows(config.claims, measures), learner.updates)
        if trainer.is_global_zero:
            _write_network(folder, learner)
            if signals.received is None:
                write_outcome(
                    folder.path, RunOutcome(learner.updates, stopwatch.seconds(), measures)
                )
    return TrainingResult(
        run_directory=folder,
        updates=learner.updates,
        seconds=seconds,
        measures=measures,
        stop_signal=signals.received,
        wandb_status=next((run.status_message() for run in wandb_runs), "disabled"),
    )


def _fit(
    trainer: Trainer, learner: BaseModule, data: BaseDataModule, checkpoint: Path | None
) -> None:
    """Train; a signal that comes before the first update raises KeyboardInterrupt.

    Raises:
        ProcessLost: another process has ended.
    """
    try:
        trainer.fit(learner, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # of which Lightning makes exit code 1
            raise end.__context__ from None
        raise
    except RuntimeError as error:
        if (end_of_another := process_lost_error(error)) is None:
            raise
        logging.getLogger("gan_lightning").info("%s", error)
        if is_first_process():  # at once: Lightning may be about to kill this one
            warn(
                f"another process of the run has ended after update {learner.updates:,}; go on by "
                f"`gan-lightning train EXP --resume`"
            )
        raise end_of_another from error


def build_trainer(
    config: RunConfig,
    experiment: str,
    folder: RunDirectory,
    data: DataSpec,
    callbacks: list[Callback],
    first_update: int = 0,
) -> Trainer:
    """Make a run's Trainer with its loggers, the W&B run begun.

    Args:
        config: of the run.
        experiment: its name.
        folder: where it writes.
        data: shape of what it trains on.
        callbacks: `default_callbacks`, or more.
        first_update: where a resumed run goes on.
    """
    precision = resolve_precision(config, data.is_image)
    logging.getLogger("gan_lightning").info("precision %s", precision)
    loggers = default_loggers(config, experiment, folder, first_update)
    trainer = Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.nodes,
        strategy=AlternatingDDP() if is_distributed(config) else "auto",
        sync_batchnorm=config.trainer.sync_batch_norm,
        precision=precision,  # type: ignore[arg-type]  # one of Lightning's words, checked
        max_epochs=1,
        logger=loggers,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(), *slurm_plugins()],
        enable_model_summary=False,
        log_every_n_steps=1,  # nothing is logged through Lightning: see BaseModule.log_update
        use_distributed_sampler=False,
        default_root_dir=folder.path,
    )
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.start(_resolved(config, precision))
    return trainer


def _resolved(config: RunConfig, precision: str) -> dict[str, Any]:
    """Return the config as plain values, with what `auto` became."""
    plain = as_plain(config)
    plain["trainer"]["precision"] = precision
    return plain


@contextmanager
def _closed(wandb_runs: list[WandbRun], signals: StopOnSignal) -> Iterator[None]:
    """End the W&B run however the block ends; who asked for the end does not wait for a server."""
    failed = True
    try:
        yield
        failed = False
    finally:
        for wandb_run in wandb_runs:
            stopped = failed or signals.received is not None
            wandb_run.finish(failed, HASTE if stopped else PATIENCE)


def _write_network(folder: RunDirectory, learner: BaseModule) -> None:
    """Write what a user wants of the run: the generator, or the classifier."""
    network = learner.inference_network()
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    name = "generator" if hasattr(learner, "generator") else "classifier"
    atomic_write(folder.path / f"{name}.safetensors", save_safetensors(tensors))
