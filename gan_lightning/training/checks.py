"""What is resolved, or refused, before a run begins."""

from __future__ import annotations

import math
import os

import torch
from torch import nn

from gan_lightning.config.schema import RunConfig
from gan_lightning.data import BaseDataModule
from gan_lightning.data.round_loader import check_batch_size
from gan_lightning.distributed.environment import started
from gan_lightning.errors import UserError
from gan_lightning.evaluation import inception_network
from gan_lightning.gans import GANConfig
from gan_lightning.utils.hardware import fast_precision

__all__ = [
    "check_batch_norm",
    "check_data",
    "check_devices",
    "check_launcher",
    "resolve_precision",
    "resolve_threads",
    "rounds_per_batch",
]

MOST_ROUNDS_PER_BATCH = 20


def rounds_per_batch(config: RunConfig, is_image: bool) -> int:
    """Choose how many rounds one Lightning batch holds.

    The trainer's own loop has a cost a batch: little beside a step on images, much beside one
    on points. Every cadence stays a multiple of the choice.
    """
    if config.trainer.rounds_per_batch:
        return config.trainer.rounds_per_batch
    if is_image:
        return 1
    cadences = (
        config.trainer.max_updates,
        config.evaluation.every_n_updates,
        config.pictures.every_n_updates,
        config.checkpoints.every_n_updates,
        config.log.every_n_updates,
    )
    common = math.gcd(*cadences)
    return max(size for size in range(1, MOST_ROUNDS_PER_BATCH + 1) if common % size == 0)


def resolve_precision(config: RunConfig, is_image: bool) -> str:
    """Resolve `auto`: bfloat16 autocast for images where the processor computes in it."""
    if config.trainer.precision != "auto":
        return config.trainer.precision
    if not is_image:
        return "32-true"
    wanted = config.trainer.accelerator in ("auto", "gpu", "cuda")
    return fast_precision(on_gpu=wanted and torch.cuda.is_available())


def resolve_threads(config: RunConfig, is_image: bool) -> int:
    """Choose the processor threads of one process.

    A second thread makes an update of gan_ring a third faster on an idle processor, and four times
    slower where another program wants the same core: threads that wait for each other then wait for
    it too.
    """
    processes = 1 if torch.cuda.is_available() else config.trainer.devices
    if config.trainer.threads:
        return config.trainer.threads
    return max(1, torch.get_num_threads() // processes) if is_image else 1


def check_launcher(config: RunConfig) -> None:
    """Refuse numbers that are not those of the processes that torchrun or srun has started.

    Raises:
        UserError: the message says which options go with what was started.
    """
    launcher, trainer = started(), config.trainer
    if launcher is None:
        return
    by, nodes, devices = launcher
    if devices is None:
        raise UserError(
            "SLURM_NTASKS is set and SLURM_NTASKS_PER_NODE is not, so processes on a node cannot "
            "be counted; give the job --ntasks-per-node in place of --ntasks"
        )
    if (trainer.devices, trainer.nodes) != (devices, nodes):
        raise UserError(
            f"{by} starts {devices} on each of {nodes}, and trainer.devices is {trainer.devices} "
            f"and trainer.nodes is {trainer.nodes}; add --devices {devices} --nodes {nodes}"
        )


def check_devices(config: RunConfig) -> None:
    """Refuse more devices than there are, and what these cannot do."""
    trainer, on_cuda = config.trainer, _on_cuda(config)
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
    if trainer.sync_batch_norm and not on_cuda:
        raise UserError(
            "trainer.sync_batch_norm is true, and PyTorch synchronises batch norm on GPUs only; "
            "set it to false, and each process normalises by its own part of a minibatch"
        )


def _on_cuda(config: RunConfig) -> bool:
    wanted = config.trainer.accelerator
    return wanted in ("gpu", "cuda") or (wanted == "auto" and torch.cuda.is_available())


def check_data(config: RunConfig, data: BaseDataModule) -> None:
    """Read the data before anything is written, and refuse a batch that does not fit them.

    Raises:
        UserError: the data do not fill it, processes and packs cannot share it evenly, or it is too
            small for the losses.
    """
    data.test_data()
    if config.evaluation.inception is not None:
        inception_network(config.evaluation.inception)
    world_size = config.trainer.devices * config.trainer.nodes
    try:
        data.labelled_data()
        check_batch_size(config.data.batch_size, len(data.training_data()[0]), world_size)
    except ValueError as error:
        raise UserError(f"data.{error}") from error
    _check_packs(config, world_size)
    if isinstance(config.model, GANConfig):
        try:
            config.model.check_minibatch(config.data.batch_size)
        except ValueError as error:
            batch_size = config.data.batch_size
            raise UserError(f"data.batch_size is {batch_size} and model.{error}") from error


def check_batch_norm(config: RunConfig, learner: nn.Module) -> None:
    """Refuse batch statistics of a single datum.

    Raises:
        UserError: a network normalises over the batch, of which a process sees one datum or pack.
    """
    processes = config.trainer.devices * config.trainer.nodes
    seen = config.data.batch_size // processes // config.network.packing
    if seen == 1 and any(isinstance(part, nn.BatchNorm1d) for part in learner.modules()):
        least = 2 * processes * config.network.packing
        raise UserError(
            f"data.batch_size is {config.data.batch_size}, of which batch norm sees one at a "
            f"time; it must be at least {least}"
        )


def _check_packs(config: RunConfig, world_size: int) -> None:
    packing, batch_size = config.network.packing, config.data.batch_size
    unit = packing * world_size
    if batch_size % unit:
        processes = f" on each of {world_size} processes" if world_size > 1 else ""
        nearest = max(1, round(batch_size / unit)) * unit
        raise UserError(
            f"data.batch_size is {batch_size}, which does not fill packs of network.packing = "
            f"{packing}{processes}; the nearest that does is {nearest}"
        )
