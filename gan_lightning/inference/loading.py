"""Load the GAN of a run, and check options that the inference commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gan_lightning.config.schema import RunConfig
from gan_lightning.data import BaseDataModule
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.runs.models import find_model
from gan_lightning.training.restore import load_model

__all__ = ["check_range", "check_seed", "check_suffix", "load_gan"]


def load_gan(
    run: str, checkpoint: str, *, needs_data: bool = True
) -> tuple[GAN, BaseDataModule, RunConfig]:
    """Load a run's GAN in evaluation mode, with its DataModule and config.

    Args:
        run: run directory, saved model, or an experiment's name for its latest run, else for the
            shipped model.
        checkpoint: `latest` or `best`.
        needs_data: whether the data must be on this machine, see `load_model`.

    Raises:
        UserError: the run or the checkpoint does not exist, or the model is no GAN.
    """
    directory = find_model(run)
    model, data, config = load_model(directory, checkpoint, needs_data=needs_data)
    if not isinstance(model, GAN):
        raise UserError(
            f"run {run!r} trained a {config.model.name}, which generates nothing; "
            f"choose a run of a GAN"
        )
    return model, data, config


def check_range(option: str, value: int, minimum: int, maximum: int | None = None) -> None:
    """Check a number of the command line.

    Raises:
        UserError: the value is below the minimum or above the maximum.
    """
    if value < minimum or (maximum is not None and value > maximum):
        valid = f"at least {minimum}" if maximum is None else f"in {minimum} to {maximum}"
        raise UserError(f"{option} is {value}; it must be {valid}")


def check_seed(seed: int) -> None:
    """Check a seed of the command line, an unsigned 32-bit integer."""
    check_range("--seed", seed, 0, 2**32 - 1)


def check_suffix(output: Path, suffixes: Sequence[str]) -> None:
    """Check the suffix of an output file.

    Raises:
        UserError: the file has none of the suffixes.
    """
    if output.suffix not in suffixes:
        raise UserError(f"--output is {output}; its name must end in {' or '.join(suffixes)}")
