"""A RunConfig becomes a DataModule, a model, callbacks, loggers and a Trainer, and runs."""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger
from safetensors.torch import save as save_safetensors

from gan_lightning.callbacks import (
    AtomicCheckpointIO,
    Checkpoints,
    Evaluation,
    SampleGrid,
    Scatter,
    StopOnSignal,
    TraversalGrid,
    UpdatesBar,
    latest_checkpoint,
)
from gan_lightning.classifiers import CLASSIFIERS
from gan_lightning.config import RunConfig, as_plain
from gan_lightning.data import DATASETS, ResidentData, Schedule
from gan_lightning.distributed import AlternatingDDP
from gan_lightning.errors import UserError
from gan_lightning.gans import GANS
from gan_lightning.learner import Learner
from gan_lightning.loggers import MetricsFile, WandbRun, wandb_mode
from gan_lightning.networks import NETWORKS
from gan_lightning.randomness import derived_seed, isolated_randomness
from gan_lightning.run_folder import RunFolder, is_first_process

__all__ = ["Outcome", "build", "load_learner", "resolve_precision", "rounds_per_batch", "train"]

MOST_ROUNDS_PER_BATCH = 20


@dataclass(frozen=True)
class Outcome:
    """What a run ended with.

    Args:
        folder: of the run.
        updates: made in the run's whole life.
        seconds: of training in this process, evaluation included.
        measures: of the last evaluation, by name.
        interrupted: number of the signal that ended it early, or None.
        wandb: what to tell the user about Weights & Biases.
    """

    folder: RunFolder
    updates: int
    seconds: float
    measures: dict[str, float]
    interrupted: int | None
    wandb: str


def build(config: RunConfig) -> tuple[Learner, ResidentData]:
    """Make the model, initialised as the seed says, and its data.

    Raises:
        UserError: data cannot be had, or model, networks and data do not fit each other.
    """
    data = _constructed("data", DATASETS[config.data.name], config.data)
    with isolated_randomness(derived_seed(config.seed, "weights")):
        if config.model.name in CLASSIFIERS:
            classifier = CLASSIFIERS[config.model.name]
            learner: Learner = _constructed(
                "model",
                classifier,
                config.model,
                data.spec,
                updates=config.trainer.max_steps,
                seed=config.seed,
            )
        else:
            networks = _constructed("network", NETWORKS[config.network.name], config.network)
            gan = GANS[config.model.name]
            learner = _constructed("model", gan, config.model, networks, data.spec, config.seed)
    learner.log_every = config.log.every
    data.schedule = Schedule(
        updates=config.trainer.max_steps,
        discriminator_steps=getattr(config.model, "discriminator_steps", 1),
        rounds_per_batch=rounds_per_batch(config, is_image=data.spec.is_image),
        seed=config.seed,
    )
    return learner, data


def _constructed(section: str, make: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return make(*args, **kwargs)
    except ValueError as error:
        raise UserError(f"{section}: {error}") from error


def rounds_per_batch(config: RunConfig, is_image: bool) -> int:
    """Choose how many rounds one Lightning batch holds.

    The trainer's own loop costs about a millisecond a batch: nothing beside a step on images, half
    of the time on points. Every cadence stays a multiple of the choice.
    """
    if config.trainer.rounds_per_batch:
        return config.trainer.rounds_per_batch
    if is_image:
        return 1
    cadences = (
        config.trainer.max_steps,
        config.evaluation.every,
        config.pictures.every,
        config.checkpoints.every,
        config.log.every,
    )
    common = math.gcd(*cadences)
    return max(size for size in range(1, MOST_ROUNDS_PER_BATCH + 1) if common % size == 0)


def resolve_precision(config: RunConfig, is_image: bool) -> str:
    """Resolve `auto`: bfloat16 autocast for images where the processor computes in it."""
    if config.trainer.precision != "auto":
        return config.trainer.precision
    if not is_image:
        return "32-true"
    if config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16-mixed" if fast else "32-true"


def train(
    config: RunConfig, experiment: str, output: Path | None = None, resume: RunFolder | None = None
) -> Outcome:
    """Train a model to the end of its budget, or until a signal, and leave everything in a folder.

    Args:
        config: of the run.
        experiment: its name, for the folder and for W&B.
        output: folder of the run; by default runs/EXPERIMENT/<time>.
        resume: a run to go on with, from its latest checkpoint.

    Raises:
        UserError: nothing has been written then, or the run folder says how far it got.
    """
    torch.set_flush_denormal(True)
    _check_devices(config)
    learner, data = build(config)
    _check_data(config, data)
    checkpoint = None
    if resume is not None:
        checkpoint = _checkpoint_to_resume(resume)
        first_update = _updates_of(checkpoint)
        if first_update >= config.trainer.max_steps:
            raise UserError(
                f"run {resume.path} has made all its {first_update:,} updates; "
                f"to go on, give a larger trainer.max_steps"
            )
    folder = resume or RunFolder.create(experiment, output)
    try:
        with _logged_to(folder.log):
            return _train(config, experiment, folder, learner, data, checkpoint)
    except BaseException:
        if resume is None and learner.updates == 0 and is_first_process():
            folder.remove()
        raise


def _train(
    config: RunConfig,
    experiment: str,
    folder: RunFolder,
    learner: Learner,
    data: ResidentData,
    checkpoint: Path | None,
) -> Outcome:
    if is_first_process():
        folder.describe(config)
    precision = resolve_precision(config, data.spec.is_image)
    logging.getLogger("gan_lightning").info("precision %s", precision)
    first_update = 0 if checkpoint is None else _updates_of(checkpoint)
    loggers = _loggers(config, experiment, folder, first_update)
    wandb_runs = [logger for logger in loggers if isinstance(logger, WandbRun)]
    callbacks = _callbacks(config, folder, data)
    evaluation = next(c for c in callbacks if isinstance(c, Evaluation))
    signals = next(c for c in callbacks if isinstance(c, StopOnSignal))
    trainer = _trainer(config, precision, folder, loggers, callbacks)
    start = time.perf_counter()
    for wandb_run in wandb_runs:
        wandb_run.begin(_resolved(config, precision))
    if config.trainer.channels_last and data.spec.is_image:
        learner = learner.to(memory_format=torch.channels_last)
    with _closed(wandb_runs):
        trainer.fit(learner, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        for wandb_run in wandb_runs:
            wandb_run.summarise(evaluation.measures)
    seconds = time.perf_counter() - start
    if trainer.is_global_zero:
        folder.write_measures(evaluation.measures)
        _write_network(folder, learner)
    return Outcome(
        folder=folder,
        updates=learner.updates,
        seconds=seconds,
        measures=evaluation.measures,
        interrupted=signals.received,
        wandb=next((run.what_to_tell() for run in wandb_runs), "disabled"),
    )


def load_learner(folder: RunFolder) -> tuple[Learner, ResidentData, RunConfig]:
    """Load a run's model from its latest checkpoint, with its data and config.

    Raises:
        UserError: the run has no checkpoint, or it cannot be read.
    """
    torch.set_flush_denormal(True)
    config = folder.config()
    learner, data = build(config)
    checkpoint = _read_checkpoint(_checkpoint_to_resume(folder))
    learner.load_state_dict(checkpoint["state_dict"])
    learner.on_load_checkpoint(checkpoint)
    return learner.eval(), data, config


def _check_devices(config: RunConfig) -> None:
    """Refuse more devices than there are."""
    trainer = config.trainer
    on_cuda = trainer.accelerator in ("gpu", "cuda") or (
        trainer.accelerator == "auto" and torch.cuda.is_available()
    )
    if on_cuda:
        there, kind = torch.cuda.device_count(), "GPU"
    else:
        there, kind = os.cpu_count() or 1, "processor core"
    if on_cuda and there == 0:
        raise UserError(
            f"trainer.accelerator is {trainer.accelerator!r} and there is no GPU; use cpu or auto"
        )
    if trainer.accelerator == "mps" and not torch.backends.mps.is_available():
        raise UserError("trainer.accelerator is 'mps' and there is no such GPU; use cpu or auto")
    if trainer.devices > there:
        raise UserError(
            f"--devices is {trainer.devices} and there {'is' if there == 1 else 'are'} {there} "
            f"{kind}{'' if there == 1 else 's'}; valid are 1 to {there}"
        )


def _check_data(config: RunConfig, data: ResidentData) -> None:
    """Read the data before anything is written, and refuse a batch that they cannot fill."""
    world = config.trainer.devices * config.trainer.nodes
    size, there = config.data.batch_size, len(data.training_data()[0])
    data.test_data()
    if size > there:
        raise UserError(f"data.batch_size is {size}; it must lie in 1..{there}, the training data")
    if size % world:
        nearest = max(1, round(size / world)) * world
        raise UserError(
            f"data.batch_size is {size}, the global minibatch, which {world} processes cannot "
            f"share evenly; the nearest that they can is {nearest}"
        )


def _trainer(
    config: RunConfig,
    precision: str,
    folder: RunFolder,
    loggers: list[Logger],
    callbacks: list[Callback],
) -> Trainer:
    several = config.trainer.devices * config.trainer.nodes > 1
    if several and not torch.cuda.is_available():
        torch.set_num_threads(max(1, torch.get_num_threads() // config.trainer.devices))
    return Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.nodes,
        strategy=AlternatingDDP() if several else "auto",
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        logger=loggers,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        enable_model_summary=False,
        log_every_n_steps=1,  # nothing is logged through Lightning: see Learner.finish_update
        use_distributed_sampler=False,
        default_root_dir=folder.path,
    )


def _callbacks(config: RunConfig, folder: RunFolder, data: ResidentData) -> list[Callback]:
    """List what watches the run; signals come first, the checkpoint after what it must include."""
    callbacks: list[Callback] = [StopOnSignal(), UpdatesBar(config.trainer.max_steps)]
    evaluation = config.evaluation
    callbacks.append(Evaluation(data, evaluation.every, evaluation.samples))
    if config.model.name in GANS:
        every = config.pictures.every
        if data.spec.is_image:
            callbacks.append(SampleGrid(folder.samples, every, config.pictures.samples))
            callbacks.append(TraversalGrid(folder.samples, every))
        else:
            callbacks.append(Scatter(folder.samples, every, data.test_data().data))
    checkpoints = config.checkpoints
    callbacks.append(Checkpoints(folder.checkpoints, checkpoints.every, checkpoints.keep))
    return callbacks


def _loggers(
    config: RunConfig, experiment: str, folder: RunFolder, first_update: int
) -> list[Logger]:
    loggers: list[Logger] = [MetricsFile(folder.metrics, first_update)]
    mode = wandb_mode(config.log)
    if mode != "disabled":
        identity = folder.identity() or ""
        loggers.append(WandbRun.make(config.log, mode, experiment, folder.path, identity))
    return loggers


def _resolved(config: RunConfig, precision: str) -> dict[str, Any]:
    """Return the config as plain values, with what `auto` became."""
    plain = as_plain(config)
    plain["trainer"]["precision"] = precision
    return plain


@contextmanager
def _closed(wandb_runs: list[WandbRun]) -> Iterator[None]:
    """End the W&B run however the block ends."""
    failed = True
    try:
        yield
        failed = False
    finally:
        for wandb_run in wandb_runs:
            wandb_run.end(failed)


def _write_network(folder: RunFolder, learner: Learner) -> None:
    """Write what a user wants of the run: the generator, or the classifier."""
    network = learner.network_to_ship()
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    name = "generator" if hasattr(learner, "generator") else "classifier"
    partial = folder.path / f".{name}.partial"
    partial.write_bytes(save_safetensors(tensors))
    partial.replace(folder.path / f"{name}.safetensors")


def _checkpoint_to_resume(folder: RunFolder) -> Path:
    checkpoint = latest_checkpoint(folder.checkpoints)
    if checkpoint is None:
        raise UserError(f"run {folder.path} has no checkpoint yet; train it again")
    return checkpoint


def _read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch names no narrower class for a damaged archive
        raise UserError(
            f"checkpoint {path} cannot be read ({type(error).__name__}); "
            f"delete it to use the one before"
        ) from error
    assert isinstance(checkpoint, dict)
    return checkpoint


def _updates_of(path: Path) -> int:
    updates: int = _read_checkpoint(path)["progress"]["updates"]
    return updates


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Send Lightning's remarks and Python's warnings to the run's log, not to the screen."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    names = ("gan_lightning", "pytorch_lightning", "lightning_fabric", "py.warnings")
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
