"""Train a model from a config, from the run directory to the final weights."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger
from safetensors.torch import save as save_safetensors

from gan_lightning.callbacks import Evaluation, RunTimer, StopOnSignal
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.config.wandb_mode import sweep_run_id, wandb_mode, with_variables
from gan_lightning.core.compile import compile_methods, compile_networks
from gan_lightning.core.fast_paths import set_up_process
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.data.described import write_description
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError, warn
from gan_lightning.loggers import WandbRun
from gan_lightning.loggers.wandb_run import FINISH_TIMEOUT
from gan_lightning.results.claims import no_verdict_reason, single_run_rows
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.runs.state import RunOutcome, run_lock, write_outcome
from gan_lightning.training.build import build
from gan_lightning.training.checks import (
    check_devices,
    check_launcher,
    check_run,
    resolve_threads,
)
from gan_lightning.training.defaults import default_callbacks, log_to_file
from gan_lightning.training.extensions import Extensions, build_callbacks
from gan_lightning.training.launch import (
    Broadcast,
    is_distributed,
    launch,
    process_lost_error,
)
from gan_lightning.training.resume import TrainingStart, resume_from_latest
from gan_lightning.training.start_from import load_start_weights
from gan_lightning.training.trainer import build_trainer
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import allow_tf32

__all__ = ["TrainingResult", "train"]

STOPPED_FINISH_TIMEOUT = 3.0
"""Seconds that a run that was stopped or failed waits for the W&B server to take its data."""


@dataclass(frozen=True, repr=False)
class TrainingResult:
    """Result of `train`.

    Args:
        run_directory: directory of the run.
        updates: updates over all sessions of the run.
        seconds: training time in this process, evaluation included.
        measures: metrics of the final model, by name; empty if a signal stopped the run.
        stop_signal: number of the signal that stopped the run before its end, or None.
        wandb_status: one line about the run at Weights & Biases.
        stopped_by: which callback, such as EarlyStopping, ended the run before
            `trainer.max_updates`, and why; or None.
    """

    run_directory: RunDirectory
    updates: int
    seconds: float
    measures: dict[str, float]
    stop_signal: int | None
    wandb_status: str
    stopped_by: str | None = None

    def __repr__(self) -> str:
        """Return the run directory, the updates and the metrics, one a line."""
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        """Return the same as a table, for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.4f}</td></tr>"
            for name, value in self.measures.items()
        )
        lines = [line for line in self._lines() if not line.startswith("  ")]
        return f"{'<br>'.join(map(escape, lines))}<table>{rows}</table>"

    def _lines(self) -> Iterator[str]:
        yield f"run {self.run_directory.path}"
        yield f"{self.updates:,} updates; {self.seconds / 60:.1f} minutes"
        if self.stop_signal is not None:
            yield f"stopped by signal {self.stop_signal}; resume=True continues the run"
        if self.stopped_by is not None:
            yield f"stopped by {self.stopped_by}"
        for name, value in self.measures.items():
            yield f"  {name:<26} {value:>9.4f}"


def train(
    config: RunConfig,
    experiment: str,
    output: Path | None = None,
    resume: RunDirectory | None = None,
    runs: Path = RUNS,
    *,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    data: BaseDataModule | None = None,
) -> TrainingResult:
    """Train a model until `trainer.max_updates` or a signal, and write everything to a directory.

    Args:
        config: config of the run.
        experiment: name of the experiment, for the directory and W&B.
        output: directory of the run; by default RUNS/EXPERIMENT/<time>.
        resume: a run to resume from its latest intact checkpoint, or from update 0 if it has none.
        runs: parent directory of all runs.
        callbacks: callbacks of the user, in addition to those of the config.
        loggers: loggers of the user, in addition to the run's own.
        data: data that `config.data` describes but cannot build, since they are in memory.

    Raises:
        UserError: the config does not fit the data, the machine, or the weights that it resumes or
            starts from, in which case nothing has been written; or the run directory cannot be
            written, or a callback has failed, in which case a checkpoint has been saved.
        Diverged: a loss or a weight is not finite.
        ProcessLost: another process of the run has ended.
    """
    if wandb_mode(config.log) != "disabled" and resume is None:  # a resumed run keeps its names
        config = replace(config, log=with_variables(config.log))
    set_up_process()
    allow_tf32(config.trainer.tf32)
    check_launcher(config)
    check_devices(config)
    extensions = Extensions([*build_callbacks(config), *callbacks], list(loggers))
    extensions.check()
    model, data = build(config, data)
    check_run(config, model, data)
    torch.set_num_threads(resolve_threads(config, data.spec.is_image))
    if not is_first_process():  # it gets the weights from the first one
        run = Run(config, experiment, model, data, extensions)
        with log_to_file(None):
            return launch(config, lambda broadcast: _train(run, broadcast(None)))
    start = None if resume is None else resume_from_latest(config, resume, model)
    if start is None or start.checkpoint is None:
        config = load_start_weights(config, model)
    run = Run(config, experiment, model, data, extensions)
    if start is not None:
        return _train_in_directory(run, start)
    folder_exists = output is not None and output.exists()
    start = TrainingStart(RunDirectory.create(experiment, output, runs))
    return _train_in_directory(run, start, keep_folder=folder_exists)


@dataclass(frozen=True)
class Run:
    """What a process of a run trains.

    Args:
        config: config of the run.
        experiment: name of the experiment.
        model: model, which may have been trained before.
        data: data module.
        extensions: callbacks and loggers of the user.
    """

    config: RunConfig
    experiment: str
    model: BaseModule
    data: BaseDataModule
    extensions: Extensions


def _train_in_directory(
    run: Run, start: TrainingStart, keep_folder: bool = False
) -> TrainingResult:
    """Lock the run directory, start the processes, and train.

    A new directory is deleted again if there is no update; not before its lock is held, since
    another process may have chosen the same folder.

    Args:
        run: what is trained.
        start: run directory, and the checkpoint to start from.
        keep_folder: delete what is in a new directory, but not the directory.
    """
    directory = start.run_directory

    def train_in_first_process(broadcast: Broadcast) -> TrainingResult:
        broadcast(start.with_absolute_paths())
        return _train(run, start)

    with run_lock(directory.path):
        if start.is_new_run:
            directory.check_is_new()
        try:
            with log_to_file(directory.log):
                start.rename_damaged()
                return launch(run.config, train_in_first_process)
        except BaseException:
            if start.is_new_run and run.model.updates == 0:
                directory.delete(keep_folder)
            raise


def _train(run: Run, start: TrainingStart) -> TrainingResult:
    """Train in one process of a run; the first process also writes the results."""
    config, model, directory = run.config, run.model, start.run_directory
    if is_first_process():
        directory.delete_partial_files()
        count = len(run.data.used_data()[0])
        directory.write_config(config, start.run_id or sweep_run_id(), count)
        write_description(directory.data_file, run.data)
    start_time = time.perf_counter()
    callbacks = run.extensions.with_defaults(default_callbacks(config, directory, model, run.data))
    trainer = build_trainer(
        config,
        run.experiment,
        directory,
        run.data.spec,
        callbacks,
        start.updates,
        run.extensions.loggers,
    )
    wandb_runs = [logger for logger in trainer.loggers if isinstance(logger, WandbRun)]
    evaluation = next(c for c in callbacks if isinstance(c, Evaluation))
    signals = next(c for c in callbacks if isinstance(c, StopOnSignal))
    timer = next(c for c in callbacks if isinstance(c, RunTimer))
    start.check_checkpoint_exists(trainer.global_rank)
    if config.trainer.compile:
        compile_networks(model.networks_in_training())
        if not is_distributed(config):  # losses that use the data of all processes exchange them
            compile_methods(model, model.methods_to_compile())
    with _finish_on_exit(wandb_runs, signals):
        with run.extensions.contained():
            _fit(trainer, run, start)
        seconds = time.perf_counter() - start_time
        measures = evaluation.measures if signals.received is None else {}
        stopped_by = None
        if signals.received is None and model.updates < config.trainer.max_updates:
            stopped_by = run.extensions.stop_reason()
        no_verdict = no_verdict_reason(as_plain(config), stopped_by=stopped_by)
        rows = single_run_rows(config.claims, measures, no_verdict)
        for wandb_run in wandb_runs:
            wandb_run.write_summary(measures)
            wandb_run.log_claims(rows, model.updates)
        if trainer.is_global_zero:
            _write_inference_network(directory, model)
            if signals.received is None:
                outcome = RunOutcome(model.updates, timer.seconds(), measures, stopped_by)
                write_outcome(directory.path, outcome)
    return TrainingResult(
        run_directory=directory,
        updates=model.updates,
        seconds=seconds,
        measures=measures,
        stop_signal=signals.received,
        wandb_status=next((w.location_message() for w in wandb_runs), "disabled"),
        stopped_by=stopped_by,
    )


def _fit(trainer: Trainer, run: Run, start: TrainingStart) -> None:
    """Call `trainer.fit` and convert its errors.

    Raises:
        UserError: a callback of the user, or the evaluation, has failed.
        KeyboardInterrupt: a signal came before the first update.
        ProcessLost: another process of the run has ended.
    """
    try:
        trainer.fit(run.model, datamodule=run.data, ckpt_path=start.checkpoint, weights_only=True)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning turns it into exit code 1
            raise end.__context__ from None
        raise
    except UserError:
        raise
    except Exception as error:
        if (process_lost := process_lost_error(error)) is None:
            failure = run.extensions.describe(error, start.run_directory, run.model.updates)
            if failure is None:
                raise
            raise failure from error
        logging.getLogger("gan_lightning").info("%s", error)
        if is_first_process():  # at once: Lightning may be about to kill this process
            warn(
                f"another process of the run has ended after update {run.model.updates:,}; resume "
                f"the run by `gan-lightning train EXP --resume`"
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
