"""The processes of a run: started or found, introduced to each other, and ended together."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning import Trainer
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from gan_lightning.config.schema import RunConfig
from gan_lightning.distributed.environment import is_first_process, started
from gan_lightning.distributed.strategy import AlternatingDDP
from gan_lightning.errors import ProcessLost
from gan_lightning.utils.hardware import end_with_parent

__all__ = ["Broadcast", "is_distributed", "launch", "process_lost_error", "slurm_plugins"]

Result = TypeVar("Result")
Broadcast = Callable[[Any], Any]
"""What the first process gives, every process gets; plain values."""

KILL = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL

PATIENCE = 10.0
"""Seconds in which the processes that this one has started may end by themselves."""

GONE = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "ncclRemoteError",
)
"""What gloo and NCCL say of a process that has ended; all else that they say is an error here."""


def is_distributed(config: RunConfig) -> bool:
    """Tell whether a run has more than one process."""
    return config.trainer.devices * config.trainer.nodes > 1


def slurm_plugins() -> list[SLURMEnvironment]:
    """Return SLURM's environment without Lightning's requeueing, where srun has started this.

    Lightning saves inside the handler of SLURM's signal, wherever the update stands: here the
    signal ends the run after the update, and the job's script requeues it.
    """
    launcher = started()
    by_srun = launcher is not None and launcher.by == "srun"
    return [SLURMEnvironment(auto_requeue=False)] if by_srun else []


def launch(config: RunConfig, body: Callable[[Broadcast], Result]) -> Result:
    """Call a body in every process of a run.

    Lightning starts the other processes of this machine, by this process's command line, unless
    torchrun or srun has started all of them. When the body ends here, so do they.

    Args:
        config: of the run.
        body: called with what tells all processes what the first one says.
    """
    if not is_distributed(config):
        return body(lambda said: said)
    trainer = Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.nodes,
        strategy=AlternatingDDP(),
        plugins=[*slurm_plugins()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    strategy, launcher = trainer.strategy, trainer.strategy.launcher
    assert isinstance(launcher, _SubprocessScriptLauncher)
    if started() is None and not is_first_process():
        end_with_parent()

    def introduced() -> Result:
        strategy.setup_environment()
        return body(strategy.broadcast)

    try:
        found: Result = launcher.launch(introduced)
        return found
    except KeyboardInterrupt:
        launcher.kill(KILL)
        raise
    finally:
        _end(launcher.procs)


def process_lost_error(error: RuntimeError) -> ProcessLost | None:
    """Return what to raise where an error is that another process of the run is gone, or None."""
    said = str(error)
    if isinstance(error, dist.DistNetworkError) or any(words in said for words in GONE):
        return ProcessLost(said)
    return None


def _end(children: list[subprocess.Popen[Any]]) -> None:
    """Wait for the end of what this process has started; kill what does not end."""
    mine = [*children]
    children.clear()  # Lightning's observer would kill this process where one of them has failed
    for child in mine:
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
