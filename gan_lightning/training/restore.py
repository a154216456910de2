"""A finished or interrupted run becomes a model again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch

from gan_lightning.callbacks import BEST, list_checkpoints
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError, check_choice, warn
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.utils.hardware import set_up_arithmetic

__all__ = ["LoadedCheckpoint", "latest_checkpoint", "load_model"]

CHOICES = ("latest", "best")


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that is whole.

    Args:
        path: of the file.
        content: tensors, numbers and words; tensors are mapped from the file.
    """

    path: Path
    content: dict[str, Any]

    @property
    def updates(self) -> int:
        """Updates that the checkpoint has behind it."""
        return int(self.content["progress"]["updates"])


class DamagedCheckpoint(Exception):  # noqa: N818 - what a file is, said to who reads it
    """A file that is no whole checkpoint of ours; the message says why."""


def load_model(
    folder: RunDirectory, checkpoint: str = "latest", overrides: Sequence[str] = ()
) -> tuple[BaseModule, BaseDataModule, RunConfig]:
    """Load a run's model from a checkpoint, with its data and config.

    Args:
        folder: of the run.
        which: `latest`, or `best`: by fd_digits, FID, or the exact distance of points.
        overrides: `key=value`, of what the weights do not depend on.

    Raises:
        UserError: the run has no such checkpoint, or none that can be read.
    """
    set_up_arithmetic()
    try:
        check_choice("--checkpoint", checkpoint, CHOICES)
    except ValueError as error:
        raise UserError(str(error)) from error
    config = folder.config(list(overrides))
    learner, data = build(config)
    saved = _best(folder) if checkpoint == "best" else latest_checkpoint(folder)
    if saved is None:
        raise UserError(f"run {folder.path} has no checkpoint yet; train it again")
    learner.load_state_dict(saved.content["state_dict"])
    learner.on_load_checkpoint(saved.content)
    return learner.eval(), data, config


def latest_checkpoint(
    folder: RunDirectory, rename_damaged: bool = False
) -> LoadedCheckpoint | None:
    """Find a run's latest checkpoint that is whole; a damaged one is named.

    Args:
        folder: of the run.
        put_aside: rename what is damaged to `NAME.damaged`, so that it counts no more.

    Returns:
        None where the run has not saved yet.

    Raises:
        UserError: there are checkpoints and all are damaged; the message says how.
    """
    damaged: dict[Path, str] = {}
    found = None
    for path in reversed(list_checkpoints(folder.checkpoints)):
        try:
            found = read_checkpoint(path)
            break
        except DamagedCheckpoint as error:
            damaged[path] = str(error)
    said = ", ".join(f"{path} ({why})" for path, why in damaged.items())
    if damaged and found is None:
        raise UserError(f"no checkpoint can be read: {said}; train the run again")
    if damaged and found is not None and is_first_process():
        warn(f"checkpoint {said} is damaged; takes {found.path}, the one before")
        for path in damaged if rename_damaged else ():
            path.replace(path.with_name(f"{path.name}.damaged"))
    return found


def read_checkpoint(path: Path) -> LoadedCheckpoint:
    """Read a checkpoint without running anything in it, and check every byte of it.

    Raises:
        Damaged: the file is cut, changed, not ours, or would run code.
        UserError: the file may not be read.
    """
    try:
        with ZipFile(path) as archive:
            if (record := archive.testzip()) is not None:
                raise DamagedCheckpoint(f"its record {record} has another checksum")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except DamagedCheckpoint:
        raise
    except PermissionError as error:
        raise UserError(f"checkpoint {path} may not be read; change its permissions") from error
    except Exception as error:  # torch and zipfile name no narrower class for what is damaged
        raise DamagedCheckpoint(f"{type(error).__name__}, it is cut or no checkpoint") from error
    if not isinstance(content, dict) or not {"progress", "state_dict"} <= content.keys():
        raise DamagedCheckpoint("it is no checkpoint of gan-lightning")
    return LoadedCheckpoint(path, content)


def _best(folder: RunDirectory) -> LoadedCheckpoint:
    path = folder.checkpoints / BEST
    if not path.exists():
        raise UserError(f"run {folder.path} has no {BEST}; take --checkpoint latest")
    try:
        return read_checkpoint(path)
    except DamagedCheckpoint as error:
        raise UserError(f"checkpoint {path} is damaged ({error}); take the latest") from error
