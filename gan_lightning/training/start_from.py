"""Start training from the weights of another run: fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.core.packed_weights import unpack
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.runs.models import find_model
from gan_lightning.training.restore import DamagedCheckpoint, latest_checkpoint, read_checkpoint

__all__ = ["load_start_weights"]

FORMS = "a run directory, the name of an experiment, a .ckpt, or a generator.safetensors"


def load_start_weights(config: RunConfig, model: BaseModule) -> RunConfig:
    """Load the weights of another run into both players, and into the running average.

    Optimizers, counters and what regularisers have measured start anew. A running average
    continues where the other run has one, else it starts at the generator. A safetensors file holds
    the generator alone, so that the discriminator keeps its initial weights.

    Args:
        config: config of the run.
        model: model of the config, at update 0.

    Returns:
        The config, in which `trainer.start_from` names the file that was read, so that the run
        records from which weights it started: of a run it is the latest checkpoint.

    Raises:
        UserError: the model is no GAN, the weights cannot be read, or they do not fit; the message
            names the first difference.
    """
    start = config.trainer.start_from
    if start is None:
        return config
    if not isinstance(model, GAN):
        raise UserError(
            f"trainer.start_from is {start!r}, and model.name is {config.model.name}, which is no "
            f"GAN; leave it out"
        )
    path = _find_file(start)
    own, saved = model.state_dict(), _read_weights(path, model)
    names = [name for name in own if _is_of_a_player(name, model)]
    if path.suffix == ".safetensors":
        names = [name for name in names if name.startswith("generator.")]
    if any(name.startswith("ema.") for name in saved):
        names += [name for name in own if name.startswith("ema.")]
    if difference := _difference(names, own, saved):
        raise UserError(
            f"trainer.start_from is {start!r}, whose weights do not fit the networks of the config:"
            f" {difference}; give both the same model, networks and shape of the data"
        )
    model.load_state_dict({name: saved[name] for name in names}, strict=False)
    return replace(config, trainer=replace(config.trainer, start_from=str(path)))


def _find_file(start: str) -> Path:
    """Return the file that a value of `trainer.start_from` names.

    Raises:
        UserError: there is no such run or file, or the run has no intact checkpoint.
    """
    path = Path(start)
    if path.suffix in (".ckpt", ".safetensors"):
        if not path.is_file():
            raise UserError(f"trainer.start_from is {start!r}, which is no file; give {FORMS}")
        return path
    try:
        run = find_model(start)
        checkpoint = latest_checkpoint(run)
    except UserError as error:
        raise UserError(f"trainer.start_from is {start!r}: {error}") from error
    if checkpoint is None and run.generator_file.is_file():  # a saved model
        return run.generator_file
    if checkpoint is None:
        raise UserError(f"trainer.start_from is {start!r}, a run that has no checkpoint yet")
    return checkpoint.path


def _read_weights(path: Path, gan: GAN) -> Mapping[str, Tensor]:
    """Read the tensors of a checkpoint, or of a generator, with the names that a GAN gives them.

    Raises:
        UserError: the file cannot be read, or has the generator only, and layers of the
            discriminator are to be kept.
    """
    if path.suffix == ".ckpt":
        try:
            state: dict[str, Tensor] = read_checkpoint(path).content["state_dict"]
        except DamagedCheckpoint as error:
            raise UserError(f"trainer.start_from is '{path}', which is damaged: {error}") from error
        old = "averaged."  # the name of the running average in version 0.1
        return {
            f"ema.{name.removeprefix(old)}" if name.startswith(old) else name: value
            for name, value in state.items()
        }
    if layers := gan.config.freeze_discriminator_layers:
        raise UserError(
            f"model.freeze_discriminator_layers is {layers}, and {path} has no discriminator; "
            f"start from a run directory or a .ckpt"
        )
    try:
        return {f"generator.{name}": value for name, value in unpack(load_file(path)).items()}
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"trainer.start_from is '{path}', which cannot be read ({error}); give {FORMS}"
        ) from error


def _is_of_a_player(name: str, gan: GAN) -> bool:
    """Tell whether a tensor of a GAN's state belongs to a module of one of its players."""
    players = {id(part) for part in gan.networks_in_training()}
    owners = name.split(".")
    module: torch.nn.Module = gan
    for owner in owners[:-1]:
        module = module.get_submodule(owner)
        if id(module) in players:
            return True
    return False


def _difference(names: list[str], own: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> str:
    """Name the first tensor that is missing, or has another shape; empty where there is none."""
    for name in names:
        if name not in saved:
            return f"they have no {name}, which has the shape {tuple(own[name].shape)}"
        if own[name].shape != saved[name].shape:
            return f"{name} has the shape {tuple(saved[name].shape)}, not {tuple(own[name].shape)}"
    players = {name.partition(".")[0] for name in names}
    excess = [name for name in saved if name.partition(".")[0] in players and name not in own]
    return f"they have {excess[0]}, which the networks have not" if excess else ""
