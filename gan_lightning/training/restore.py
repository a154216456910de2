"""Read checkpoints and load the model of a run from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch

from gan_lightning.callbacks import BEST, list_checkpoints
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.fast_paths import set_up_process
from gan_lightning.core.module import BaseModule
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import MissingDataError, UserError, check_choice, warn
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build

__all__ = [
    "DamagedCheckpoint",
    "LoadedCheckpoint",
    "latest_checkpoint",
    "load_model",
    "read_checkpoint",
]

CHOICES = ("latest", "best")


@dataclass(frozen=True)
class LoadedCheckpoint:
    """An intact checkpoint.

    Args:
        path: the file.
        content: content of the file; tensors are memory-mapped.
        damaged: newer checkpoints of the run that cannot be read.
    """

    path: Path
    content: dict[str, Any]
    damaged: tuple[Path, ...] = ()

    @property
    def updates(self) -> int:
        """Number of updates made before the checkpoint was saved."""
        return int(self.content["progress"]["updates"])


class DamagedCheckpoint(Exception):  # noqa: N818 - the callers turn it into a UserError or a warning
    """The file is not an intact checkpoint of gan-lightning; the message gives the reason."""


GIVEN_DATA: dict[Path, BaseDataModule] = {}
"""Run directory -> data that were given in Python, for the other functions of this process."""


def load_model(
    run: RunDirectory,
    checkpoint: str = "latest",
    overrides: Sequence[str] = (),
    data: BaseDataModule | None = None,
) -> tuple[BaseModule, BaseDataModule, RunConfig]:
    """Load the model of a run from a checkpoint, with its data module and config.

    Args:
        run: the run directory.
        checkpoint: `latest`, or `best`: the one with the best fd_digits, FID or exact Wasserstein
            distance, see `gan_lightning.callbacks.checkpoints.QUALITY`.
        overrides: `key=value` for keys on which the weights do not depend.
        data: data of a run whose data were given in Python and not in this process.

    Returns:
        Model in evaluation mode, data module, config.

    Raises:
        UserError: the run has no such checkpoint, or it cannot be read.
    """
    set_up_process()
    try:
        check_choice("--checkpoint", checkpoint, CHOICES)
    except ValueError as error:
        raise UserError(str(error)) from error
    config = run.config(list(overrides))
    path = run.path.resolve()
    try:
        model, data = build(config, GIVEN_DATA.get(path) if data is None else data)
    except MissingDataError as error:
        raise UserError(f"{error}; that of this run is in {run.config_file}") from error
    loaded = _best_checkpoint(run) if checkpoint == "best" else latest_checkpoint(run)
    if loaded is None:
        raise UserError(f"run {run.path} has no checkpoint yet; train it again")
    model.load_state_dict(loaded.content["state_dict"])
    model.on_load_checkpoint(loaded.content)
    return model.eval(), data, config


def latest_checkpoint(run: RunDirectory) -> LoadedCheckpoint | None:
    """Read the latest intact checkpoint of a run; warn about damaged ones that are newer.

    Args:
        run: the run directory.

    Returns:
        The checkpoint; None if the run has not saved one yet.

    Raises:
        UserError: all checkpoints are damaged; the message gives the reasons.
    """
    damaged: dict[Path, str] = {}
    loaded = None
    for path in reversed(list_checkpoints(run.checkpoints)):
        try:
            loaded = read_checkpoint(path)
            break
        except DamagedCheckpoint as error:
            damaged[path] = str(error)
    reasons = ", ".join(f"{path} ({reason})" for path, reason in damaged.items())
    if damaged and loaded is None:
        raise UserError(f"no checkpoint can be read: {reasons}; train the run again")
    if damaged and loaded is not None and is_first_process():
        warn(f"skipping damaged checkpoints: {reasons}; using {loaded.path}")
    return None if loaded is None else replace(loaded, damaged=tuple(damaged))


def read_checkpoint(path: Path) -> LoadedCheckpoint:
    """Read a checkpoint, verify its checksums, and execute no code from it.

    Raises:
        DamagedCheckpoint: the file is truncated, changed, no checkpoint of gan-lightning, or
            contains code.
        UserError: the file has no read permission.
    """
    try:
        with ZipFile(path) as archive:
            if (record := archive.testzip()) is not None:
                raise DamagedCheckpoint(f"the checksum of its record {record} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except DamagedCheckpoint:
        raise
    except PermissionError as error:
        raise UserError(f"checkpoint {path} may not be read; change its permissions") from error
    except Exception as error:  # torch and zipfile have no common class for damaged files
        raise DamagedCheckpoint(f"{type(error).__name__}, truncated or no checkpoint") from error
    if not isinstance(content, dict) or not {"progress", "state_dict"} <= content.keys():
        raise DamagedCheckpoint("no checkpoint of gan-lightning")
    return LoadedCheckpoint(path, content)


def _best_checkpoint(run: RunDirectory) -> LoadedCheckpoint:
    path = run.checkpoints / BEST
    if not path.exists():
        raise UserError(f"run {run.path} has no {BEST}; use --checkpoint latest")
    try:
        return read_checkpoint(path)
    except DamagedCheckpoint as error:
        raise UserError(
            f"checkpoint {path} is damaged ({error}); use --checkpoint latest"
        ) from error
