"""Training in two processes, compared with one."""

from __future__ import annotations

import os
import socket
import sys
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.multiprocessing.spawn import start_processes
from torch.nn.modules.dropout import _DropoutNd

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.strategy import AlternatingDDP, batch_norm_statistics
from gan_lightning.networks.pix2pix import DropoutNoise
from gan_lightning.testing.failure import describing, require
from gan_lightning.testing.setups import GANSetup
from gan_lightning.testing.training import Weights, copy_state, differences, train

__all__ = ["check_processes", "train_in_two_processes"]

UPDATES = 10
START_METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
if START_METHOD == "forkserver":  # later processes start in a fraction of a second
    get_context("forkserver").set_forkserver_preload([__name__])

PLAIN_STEPS: dict[str, Any] = {
    player: OptimizerConfig(name="sgd", learning_rate=0.01)
    for player in ("discriminator_optimizer", "generator_optimizer")
}
"""With Adam, rounding errors would move a weight whose gradient is 0."""


def check_processes(setup: GANSetup) -> None:
    """Check that two processes have equal weights, and those of one process.

    One and two processes may differ by as much as errors of rounding in the initial weights change.
    Batch normalisation and dropout use the statistics and random numbers of each process; with them
    only the weights of the two processes are compared.

    Args:
        setup: class, config, networks and data.

    Raises:
        AssertionError: weights differ.
        ValueError: a new process cannot import the class.
    """
    owner = setup.owner
    _check_importable(owner)
    with describing(owner, "training in two processes"):
        first, second = train_in_two_processes(setup)
        one = train(setup, updates=UPDATES, **PLAIN_STEPS)
    changed = differences(first, second)
    require(
        not changed, owner, f"two processes have different weights after training: {changed[:1]}"
    )
    if _is_local(one):
        return
    expected, start = copy_state(one), copy_state(setup.build())
    moved = max((expected[name] - value).abs().max() for name, value in start.items())
    require(bool(moved > 1e-3), owner, f"{UPDATES} updates of SGD move no weight by 0.001")
    rounded = train(setup, updates=UPDATES, callbacks=[RoundingErrors()], **PLAIN_STEPS)
    errors = copy_state(rounded)
    tolerance = 1e-6 + 10 * max(
        (errors[name] - value).abs().max() for name, value in expected.items()
    )
    wrong = [
        name
        for name, value in expected.items()
        if not torch.allclose(first[name], value, rtol=1e-5, atol=float(tolerance))
    ]
    require(
        not wrong,
        owner,
        f"two processes differ from one in {', '.join(wrong[:1])}; a loss that is no mean over "
        f"samples needs all_reduce_mean or all_gather of gan_lightning.distributed.collectives",
    )


class RoundingErrors(Callback):
    """Changes every initial weight by an error of rounding, which deep networks may amplify."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Change the weights."""
        rng = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in pl_module.parameters():
                weight.mul_(1 + 1e-7 * torch.randn(weight.shape, generator=rng))


def train_in_two_processes(setup: GANSetup, updates: int = UPDATES) -> list[Weights]:
    """Train by SGD in two processes and return the state of each.

    Args:
        setup: class, config, networks and data.
        updates: generator updates.
    """
    with TemporaryDirectory() as folder:
        arguments = (setup, updates, _free_port(), folder)
        start_processes(_train_rank, arguments, nprocs=2, start_method=START_METHOD)
        return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(2)]


def _train_rank(rank: int, setup: GANSetup, updates: int, port: int, folder: str) -> None:
    """Train in one of two processes, with the environment variables of torchrun."""
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0}
    sizes = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": 1}
    os.environ.update({name: str(value) for name, value in {**ranks, **sizes, **address}.items()})
    torch.set_num_threads(1)
    trainer: dict[str, Any] = {"devices": 2, "strategy": AlternatingDDP()}
    gan = train(setup, updates=updates, trainer=trainer, **PLAIN_STEPS)
    torch.save(copy_state(gan), Path(folder, f"{rank}.pt"))


def _check_importable(owner: type) -> None:
    module = sys.modules.get(owner.__module__)
    if owner.__module__ == "__main__" or getattr(module, owner.__qualname__, None) is not owner:
        raise ValueError(
            f"{owner.__qualname__} of {owner.__module__} cannot be imported in a new process; move "
            f"it to the top level of a module, or pass processes=False"
        )


def _is_local(gan: nn.Module) -> bool:
    """Tell whether layers use statistics or random numbers of each process."""
    return bool(batch_norm_statistics(gan)) or any(
        isinstance(layer, _DropoutNd | DropoutNoise) and layer.p > 0 for layer in gan.modules()
    )


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
