"""A finished or interrupted run becomes a model again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gan_lightning.build import build
from gan_lightning.callbacks import latest_checkpoint
from gan_lightning.data import ResidentData
from gan_lightning.errors import UserError
from gan_lightning.learner import Learner
from gan_lightning.machine import set_up_arithmetic
from gan_lightning.run_folder import RunFolder
from gan_lightning.schema import RunConfig

__all__ = ["checkpoint_to_resume", "load_learner", "updates_of"]


def load_learner(folder: RunFolder) -> tuple[Learner, ResidentData, RunConfig]:
    """Load a run's model from its latest checkpoint, with its data and config.

    Raises:
        UserError: the run has no checkpoint, or it cannot be read.
    """
    set_up_arithmetic()
    config = folder.config()
    learner, data = build(config)
    checkpoint = _read_checkpoint(checkpoint_to_resume(folder))
    learner.load_state_dict(checkpoint["state_dict"])
    learner.on_load_checkpoint(checkpoint)
    return learner.eval(), data, config


def checkpoint_to_resume(folder: RunFolder) -> Path:
    """Find a run's latest checkpoint.

    Raises:
        UserError: there is none.
    """
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


def updates_of(path: Path) -> int:
    """Read how many updates a checkpoint has behind it.

    Raises:
        UserError: the checkpoint cannot be read.
    """
    updates: int = _read_checkpoint(path)["progress"]["updates"]
    return updates
