"""Read checkpoints and load the model of a run from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gan_lightning.callbacks import BEST, list_checkpoints
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.fast_paths import set_up_process
from gan_lightning.core.module import BaseModule
from gan_lightning.core.packed_weights import unpack
from gan_lightning.data import BaseDataModule
from gan_lightning.data.described import DescribedData, read_description
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import MissingDataError, UserError, check_choice, warn
from gan_lightning.gans import GAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.build import build

__all__ = [
    "DamagedCheckpoint",
    "LoadedCheckpoint",
    "latest_checkpoint",
    "load_model",
    "read_checkpoint",
    "read_generator",
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
    *,
    needs_data: bool = True,
) -> tuple[BaseModule, BaseDataModule, RunConfig]:
    """Load the model of a run from a checkpoint, with its data module and config.

    A saved model, the folder that `gan-lightning export` writes in the format safetensors, has no
    checkpoint: its generator is loaded, and its discriminator is untrained.

    Args:
        run: the run directory.
        checkpoint: `latest`, or `best`: the one with the best fd_digits, FID or exact Wasserstein
            distance, see `gan_lightning.callbacks.checkpoints.QUALITY`.
        overrides: `key=value` for keys on which the weights do not depend.
        data: data of a run whose data were given in Python and not in this process.
        needs_data: whether the data must be on this machine. Otherwise, where they are not, and of
            a saved model, the data module is a `DescribedData`, which knows shape and classes.

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
    given = GIVEN_DATA.get(run.path.resolve()) if data is None else data
    loaded = _best_checkpoint(run) if checkpoint == "best" else latest_checkpoint(run)
    weights = None if loaded is not None else read_generator(run)
    if loaded is None and weights is None:
        raise UserError(
            f"run {run.path} has no checkpoint yet and no {run.generator_file.name}; "
            "train it again, or copy the whole folder"
        )
    if loaded is None and given is None and not needs_data:
        given = _described_data(run, config, f"{run.path} is a saved model, which has no data")
    built = config if weights is None else _without_average(config)
    try:
        model, data = build(built, given)
    except MissingDataError as error:
        described = None if needs_data else _described_data(run, config, str(error))
        if described is None:
            raise UserError(f"{error}; that of this run is in {run.config_file}") from error
        model, data = build(built, described)
    if loaded is not None:
        model.load_state_dict(loaded.content["state_dict"])
        model.on_load_checkpoint(loaded.content)
    else:
        assert isinstance(model, GAN)
        assert weights is not None
        _load_generator(model, weights, run)
    return model.eval(), data, config


def read_generator(run: RunDirectory) -> dict[str, Tensor] | None:
    """Read the weights of the generator that the directory of a finished run or saved model has.

    Returns:
        Weights by name, or None where there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    path = run.generator_file
    if not path.is_file():
        return None
    try:
        return unpack(load_file(path))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged ({error}); copy it again") from error


def _load_generator(gan: GAN, weights: dict[str, Tensor], run: RunDirectory) -> None:
    try:
        gan.generator.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"{run.generator_file} does not fit {run.config_file}; copy both from the same run"
        ) from error
    gan.updates = read_outcome(run.path).updates
    gan.has_discriminator = False


def _without_average(config: RunConfig) -> RunConfig:
    """Return a config of a GAN whose generator is the running average itself."""
    if getattr(config.model, "ema_decay", None) is None:
        return config
    return replace(config, model=replace(config.model, ema_decay=None))


def _described_data(run: RunDirectory, config: RunConfig, missing: str) -> DescribedData | None:
    """Return what the directory of a run says of its data; None for a run of an older version."""
    description = read_description(run.data_file)
    return None if description is None else DescribedData(config.data, *description, missing)


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
