"""Start the processes of a run, or join those that torchrun or srun has started."""

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
from gan_lightning.distributed.environment import detect_launcher, is_first_process
from gan_lightning.distributed.strategy import AlternatingDDP
from gan_lightning.errors import ProcessLost
from gan_lightning.training.checks import resolve_accelerator
from gan_lightning.utils.hardware import end_with_parent

__all__ = ["Broadcast", "is_distributed", "launch", "process_lost_error", "slurm_plugins"]

Result = TypeVar("Result")
Broadcast = Callable[[Any], Any]
"""Function that returns the first process's argument in every process; for picklable values."""

KILL = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL

EXIT_TIMEOUT = 10.0
"""Seconds that child processes have to end by themselves before they are killed."""

LOST_PEER_MESSAGES = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "ncclRemoteError",
)
"""Parts of the errors that gloo and NCCL raise when another process has ended."""


def is_distributed(config: RunConfig) -> bool:
    """Return whether a run has more than one process."""
    return config.trainer.devices * config.trainer.nodes > 1


def slurm_plugins() -> list[SLURMEnvironment]:
    """Return Lightning's SLURM environment without requeueing if srun has started this process.

    Lightning's requeueing saves a checkpoint inside the signal handler, in the middle of an update.
    Here the signal ends the run after the update in progress, and the job script requeues it.
    """
    launcher = detect_launcher()
    by_srun = launcher is not None and launcher.name == "srun"
    return [SLURMEnvironment(auto_requeue=False)] if by_srun else []


def launch(config: RunConfig, body: Callable[[Broadcast], Result]) -> Result:
    """Call a function in every process of a run.

    Unless torchrun or srun has started all processes, Lightning starts the other processes of this
    machine with the command line of this one. They end when the function returns here.

    Args:
        config: config of the run.
        body: function to call; its argument broadcasts a value from the first process.

    Returns:
        What the function returns in this process.
    """
    if not is_distributed(config):
        return body(lambda value: value)
    trainer = Trainer(
        accelerator=resolve_accelerator(config),
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
    if detect_launcher() is None and not is_first_process():
        end_with_parent()

    def run_in_process_group() -> Result:
        strategy.setup_environment()
        return body(strategy.broadcast)

    try:
        result: Result = launcher.launch(run_in_process_group)
        return result
    except KeyboardInterrupt:
        launcher.kill(KILL)
        raise
    finally:
        _wait_or_kill(launcher.procs)


def process_lost_error(error: Exception) -> ProcessLost | None:
    """Convert an error of the process group into ProcessLost; None for any other error."""
    message = str(error)
    lost = any(part in message for part in LOST_PEER_MESSAGES)
    if isinstance(error, dist.DistNetworkError) or (isinstance(error, RuntimeError) and lost):
        return ProcessLost(message)
    return None


def _wait_or_kill(processes: list[subprocess.Popen[Any]]) -> None:
    """Wait until child processes have ended; kill those that have not after `EXIT_TIMEOUT`."""
    children = [*processes]
    processes.clear()  # or Lightning's observer kills this process if one of them has failed
    for child in children:
        try:
            child.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
