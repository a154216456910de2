"""Resolve automatic settings and check a config before a run starts."""

from __future__ import annotations

import math
import os

import torch
from torch import nn

from gan_lightning.config.schema import RunConfig
from gan_lightning.data import BaseDataModule
from gan_lightning.data.round_loader import check_batch_size
from gan_lightning.distributed.environment import detect_launcher
from gan_lightning.distributed.sharding import SINGLE_PROCESS
from gan_lightning.errors import UserError
from gan_lightning.evaluation import GAN_EVALUATORS, image_features, inception_network
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.regularisation import refuse_batch_norm_under_penalties
from gan_lightning.utils.hardware import fast_precision

__all__ = [
    "check_batch_norm",
    "check_data",
    "check_devices",
    "check_launcher",
    "check_measured_players",
    "check_measures",
    "check_minibatch",
    "check_run",
    "resolve_accelerator",
    "resolve_precision",
    "resolve_threads",
    "rounds_per_batch",
]

MAX_ROUNDS_PER_BATCH = 20
"""Largest automatic `trainer.rounds_per_batch`."""


def rounds_per_batch(config: RunConfig, is_image: bool) -> int:
    """Resolve `trainer.rounds_per_batch`, the number of rounds in one Lightning batch.

    Lightning's training loop has a fixed cost per batch: small compared to a round on images, large
    compared to a round on points. All intervals of the config are multiples of the result, so that
    callbacks, which run between batches, run at the right updates.

    Args:
        config: config of the run.
        is_image: whether the data are images.
    """
    if config.trainer.rounds_per_batch:
        return config.trainer.rounds_per_batch
    if is_image:
        return 1
    intervals = (
        config.trainer.max_updates,
        config.evaluation.every_n_updates,
        config.pictures.every_n_updates,
        config.checkpoints.every_n_updates,
        config.log.every_n_updates,
        config.game.every_n_updates if config.game.enabled else 0,
    )
    common = math.gcd(*intervals)
    return max(size for size in range(1, MAX_ROUNDS_PER_BATCH + 1) if common % size == 0)


def resolve_accelerator(config: RunConfig) -> str:
    """Resolve `trainer.accelerator=auto`: CUDA GPUs where there are any, else the CPU.

    Lightning's `auto` would also take other devices, such as MPS, on which nothing is tested.
    """
    if config.trainer.accelerator != "auto":
        return config.trainer.accelerator
    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_precision(config: RunConfig, is_image: bool) -> str:
    """Resolve `trainer.precision=auto`: bfloat16 autocast for images where the hardware has it."""
    if config.trainer.precision != "auto":
        return config.trainer.precision
    if not is_image:
        return "32-true"
    return fast_precision(on_gpu=_on_cuda(config) and torch.cuda.is_available())


def resolve_threads(config: RunConfig, is_image: bool) -> int:
    """Resolve `trainer.threads`, the number of CPU threads of one process.

    Points get one thread: a second one makes an update of gan_ring a third faster on an idle CPU,
    but four times slower if another program uses the same core, since the threads wait for each
    other. Images get all threads, divided among the processes of this machine.
    """
    processes = 1 if torch.cuda.is_available() else config.trainer.devices
    if config.trainer.threads:
        return config.trainer.threads
    return max(1, torch.get_num_threads() // processes) if is_image else 1


def check_launcher(config: RunConfig) -> None:
    """Check that `trainer.devices` and `trainer.nodes` match what torchrun or srun has started.

    Raises:
        UserError: they do not match; the message gives the matching options.
    """
    launcher, trainer = detect_launcher(), config.trainer
    if launcher is None:
        return
    by, nodes, devices = launcher
    if devices is None:
        raise UserError(
            "SLURM_NTASKS is set and SLURM_NTASKS_PER_NODE is not, so the number of processes per "
            "node is unknown; give the job --ntasks-per-node instead of --ntasks"
        )
    if (trainer.devices, trainer.nodes) != (devices, nodes):
        raise UserError(
            f"{by} has started {nodes} node{'s' * (nodes > 1)} with {devices} "
            f"process{'es' * (devices > 1)} each, but trainer.nodes is {trainer.nodes} and "
            f"trainer.devices is {trainer.devices}; add --devices {devices} --nodes {nodes}"
        )


def check_devices(config: RunConfig) -> None:
    """Check that the devices of the config exist and support its options.

    Raises:
        UserError: a GPU is missing, there are fewer devices than requested, or
            `trainer.sync_batch_norm` is set without GPUs.
    """
    trainer, on_cuda = config.trainer, _on_cuda(config)
    if on_cuda:
        available, kind = torch.cuda.device_count(), "GPU"
    elif trainer.accelerator == "mps":
        available, kind = 1, "Apple GPU"
    else:
        available, kind = os.cpu_count() or 1, "CPU core"
    if on_cuda and available == 0:
        raise UserError(
            f"trainer.accelerator is {trainer.accelerator!r}, and there is no CUDA GPU; use cpu or "
            f"auto"
        )
    if trainer.accelerator == "mps" and not torch.backends.mps.is_available():
        raise UserError("trainer.accelerator is 'mps', and there is no Apple GPU; use cpu or auto")
    if trainer.devices > available:
        raise UserError(
            f"--devices is {trainer.devices}, and this machine has {available} "
            f"{kind}{'' if available == 1 else 's'}; valid are 1 to {available}"
        )
    if trainer.sync_batch_norm and not on_cuda:
        raise UserError(
            "trainer.sync_batch_norm is true, and PyTorch synchronises batch norm on GPUs only; "
            "set it to false: each process then normalises over its own part of a minibatch"
        )


def _on_cuda(config: RunConfig) -> bool:
    return resolve_accelerator(config) in ("gpu", "cuda")


def check_run(config: RunConfig, model: nn.Module, data: BaseDataModule) -> None:
    """Check that config, model and data fit together, the config before the data are read.

    Raises:
        UserError: they do not, or the data cannot be read.
    """
    check_minibatch(config)
    check_batch_norm(config, model)
    check_measured_players(config, model)
    check_data(config, data)
    check_measures(config, model, data)


def check_data(config: RunConfig, data: BaseDataModule) -> None:
    """Read the data, before a run directory is made, and check the minibatch size against them.

    Raises:
        UserError: the data cannot be read, or `data.batch_size` does not fit their number.
    """
    if config.evaluation.inception is not None:
        inception_network(config.evaluation.inception)
    if config.evaluation.features is not None and data.spec.is_image:
        image_features(config.evaluation.features, data.spec.shape)
    data.test_data()
    world_size = config.trainer.devices * config.trainer.nodes
    try:
        data.labelled_data()
        check_batch_size(config.data.batch_size, len(data.used_data()[0]), world_size)
    except ValueError as error:
        raise UserError(f"data.{error}") from error


def check_minibatch(config: RunConfig) -> None:
    """Check that a minibatch can be divided, and that the losses are defined for its parts.

    Raises:
        UserError: `data.batch_size` is no multiple of processes, packs and parts, or is too small
            for a loss.
    """
    _check_packs(config, config.trainer.devices * config.trainer.nodes)
    if isinstance(config.model, GANConfig):
        try:
            config.model.check_minibatch(
                config.data.batch_size // config.model.accumulate_gradients
            )
        except ValueError as error:
            batch_size = config.data.batch_size
            raise UserError(f"data.batch_size is {batch_size} and model.{error}") from error


def check_batch_norm(config: RunConfig, model: nn.Module) -> None:
    """Check that batch norm has other samples to average, and that no gradient penalty excludes it.

    Args:
        config: config of the run.
        model: its networks are searched for layers of batch norm.

    Raises:
        UserError: a process passes one sample, or one pack of samples, through batch norm; or the
            gradients of a discriminator with batch norm are penalised.
    """
    if isinstance(model, GAN):
        try:
            refuse_batch_norm_under_penalties(
                model.config.regularisation, model.discriminator_players()
            )
        except ValueError as error:
            raise UserError(f"model.{error}") from error
    processes = config.trainer.devices * config.trainer.nodes
    parts = getattr(config.model, "accumulate_gradients", 1)
    local_batch = config.data.batch_size // processes // config.network.packing // parts
    if local_batch == 1 and any(isinstance(part, nn.BatchNorm1d) for part in model.modules()):
        minimum = 2 * processes * config.network.packing * parts
        raise UserError(
            f"data.batch_size is {config.data.batch_size}, which gives batch norm one sample at a "
            f"time; it must be at least {minimum}"
        )


def check_measured_players(config: RunConfig, model: nn.Module) -> None:
    """Check that there are two players where `evaluation.measures` and `game` measure them.

    Raises:
        UserError: the model is a classifier.
    """
    if config.game.enabled and not isinstance(model, GAN):
        raise UserError(
            f"game.enabled is true, and model.name is {config.model.name}, which has no two "
            f"players; leave it out"
        )
    if config.evaluation.measures and not isinstance(model, GAN):
        raise UserError(
            f"evaluation.measures has {config.evaluation.measures[0]}, a measure of GANs, and "
            f"model.name is {config.model.name}; leave it out"
        )


def check_measures(config: RunConfig, model: nn.Module, data: BaseDataModule) -> None:
    """Check that the model and the data have what `evaluation.measures` measure.

    Raises:
        UserError: a measure does not fit the GAN or the data.
    """
    for name in config.evaluation.measures:
        assert isinstance(model, GAN)
        GAN_EVALUATORS[name](model, data, SINGLE_PROCESS)


def _check_packs(config: RunConfig, world_size: int) -> None:
    packing, batch_size = config.network.packing, config.data.batch_size
    parts = getattr(config.model, "accumulate_gradients", 1)
    unit = packing * world_size * parts
    if batch_size % unit:
        factors = {
            f"network.packing = {packing}": packing,
            f"{world_size} processes": world_size,
            f"model.accumulate_gradients = {parts}": parts,
        }
        product = " times ".join(text for text, factor in factors.items() if factor > 1)
        nearest = max(1, round(batch_size / unit)) * unit
        raise UserError(
            f"data.batch_size is {batch_size}, which is no multiple of {product}; the nearest "
            f"valid value is {nearest}"
        )
