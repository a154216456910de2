"""Train a model from a config, from the run directory to the final weights."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from pytorch_lightning import Trainer
from safetensors.torch import save as save_safetensors

from gan_lightning.callbacks import Evaluation, RunTimer, StopOnSignal
from gan_lightning.config.schema import RunConfig
from gan_lightning.config.wandb_mode import sweep_run_id
from gan_lightning.core.compile import compile_networks
from gan_lightning.core.fast_paths import set_up_process
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import warn
from gan_lightning.loggers import WandbRun
from gan_lightning.loggers.wandb_run import FINISH_TIMEOUT
from gan_lightning.results.claims import single_run_rows
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.runs.state import RunOutcome, run_lock, write_outcome
from gan_lightning.training.build import build
from gan_lightning.training.checks import (
    check_batch_norm,
    check_data,
    check_devices,
    check_launcher,
    resolve_threads,
)
from gan_lightning.training.defaults import default_callbacks, log_to_file
from gan_lightning.training.launch import Broadcast, launch, process_lost_error
from gan_lightning.training.resume import TrainingStart, resume_from_latest
from gan_lightning.training.trainer import build_trainer
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import allow_tf32

__all__ = ["TrainingResult", "train"]

STOPPED_FINISH_TIMEOUT = 3.0
"""Seconds that a run that was stopped or failed waits for the W&B server to take its data."""


@dataclass(frozen=True)
class TrainingResult:
    """Result of `train`.

    Args:
        run_directory: directory of the run.
        updates: updates over all sessions of the run.
        seconds: training time in this process, evaluation included.
        measures: metrics of the final model, by name; empty if a signal stopped the run.
        stop_signal: number of the signal that stopped the run before its end, or None.
        wandb_status: one line about the run at Weights & Biases.
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
    """Train a model until `trainer.max_updates` or a signal, and write everything to a directory.

    Args:
        config: config of the run.
        experiment: name of the experiment, for the directory and W&B.
        output: directory of the run; by default RUNS/EXPERIMENT/<time>.
        resume: a run to resume from its latest intact checkpoint, or from update 0 if it has none.
        runs: parent directory of all runs.

    Raises:
        UserError: the config does not fit the data or the machine, in which case nothing has been
            written, or the run directory cannot be written.
        Diverged: a loss or a weight is not finite.
        ProcessLost: another process of the run has ended.
    """
    set_up_process()
    allow_tf32(config.trainer.tf32)
    check_launcher(config)
    check_devices(config)
    model, data = build(config)
    check_data(config, data)
    check_batch_norm(config, model)
    torch.set_num_threads(resolve_threads(config, data.spec.is_image))
    if not is_first_process():
        with log_to_file(None):
            return launch(
                config, lambda broadcast: _train(config, experiment, broadcast(None), model, data)
            )
    if resume is None:
        start = TrainingStart(RunDirectory.create(experiment, output, runs))
    else:
        start = resume_from_latest(config, resume)

    def train_in_first_process(broadcast: Broadcast) -> TrainingResult:
        broadcast(start.with_absolute_paths())
        return _train(config, experiment, start, model, data)

    try:
        with run_lock(start.run_directory.path), log_to_file(start.run_directory.log):
            return launch(config, train_in_first_process)
    except BaseException:
        if resume is None and model.updates == 0:
            start.run_directory.delete()
        raise


def _train(
    config: RunConfig,
    experiment: str,
    start: TrainingStart,
    model: BaseModule,
    data: BaseDataModule,
) -> TrainingResult:
    """Train in one process of a run; the first process also writes the results."""
    run = start.run_directory
    if is_first_process():
        run.delete_partial_files()
        run.write_config(config, start.run_id or sweep_run_id())
    start_time = time.perf_counter()
    callbacks = default_callbacks(config, run, model, data)
    trainer = build_trainer(config, experiment, run, data.spec, callbacks, start.updates)
    wandb_runs = [logger for logger in trainer.loggers if isinstance(logger, WandbRun)]
    evaluation = next(c for c in callbacks if isinstance(c, Evaluation))
    signals = next(c for c in callbacks if isinstance(c, StopOnSignal))
    timer = next(c for c in callbacks if isinstance(c, RunTimer))
    start.check_checkpoint_exists(trainer.global_rank)
    if config.trainer.compile:
        compile_networks(model.networks_in_training())
    with _finish_on_exit(wandb_runs, signals):
        _fit(trainer, model, data, start.checkpoint)
        seconds = time.perf_counter() - start_time
        measures = evaluation.measures if signals.received is None else {}
        for wandb_run in wandb_runs:
            wandb_run.write_summary(measures)
            wandb_run.log_claims(single_run_rows(config.claims, measures), model.updates)
        if trainer.is_global_zero:
            _write_inference_network(run, model)
            if signals.received is None:
                write_outcome(run.path, RunOutcome(model.updates, timer.seconds(), measures))
    return TrainingResult(
        run_directory=run,
        updates=model.updates,
        seconds=seconds,
        measures=measures,
        stop_signal=signals.received,
        wandb_status=next((w.location_message() for w in wandb_runs), "disabled"),
    )


def _fit(
    trainer: Trainer, model: BaseModule, data: BaseDataModule, checkpoint: Path | None
) -> None:
    """Call `trainer.fit` and convert its errors.

    Raises:
        KeyboardInterrupt: a signal came before the first update.
        ProcessLost: another process of the run has ended.
    """
    try:
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning turns it into exit code 1
            raise end.__context__ from None
        raise
    except RuntimeError as error:
        if (process_lost := process_lost_error(error)) is None:
            raise
        logging.getLogger("gan_lightning").info("%s", error)
        if is_first_process():  # at once: Lightning may be about to kill this process
            warn(
                f"another process of the run has ended after update {model.updates:,}; resume the "
                f"run by `gan-lightning train EXP --resume`"
            )
        raise process_lost from error


@contextmanager
def _finish_on_exit(wandb_runs: list[WandbRun], signals: StopOnSignal) -> Iterator[None]:
    """Finish the W&B run when the block ends, with a short timeout after an error or a signal."""
    failed = True
    try:
        yield
        failed = False
    finally:
        stopped = failed or signals.received is not None
        for wandb_run in wandb_runs:
            wandb_run.finish(failed, STOPPED_FINISH_TIMEOUT if stopped else FINISH_TIMEOUT)


def _write_inference_network(run: RunDirectory, model: BaseModule) -> None:
    """Write the weights of the generator or of the classifier as a safetensors file."""
    network = model.inference_network()
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    name = "generator" if hasattr(model, "generator") else "classifier"
    atomic_write(run.path / f"{name}.safetensors", save_safetensors(tensors))
