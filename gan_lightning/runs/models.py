"""Saved and shipped models: folders that load as runs do, with a generator and no checkpoint."""

from __future__ import annotations

from gan_lightning.assets.loader import MODELS
from gan_lightning.errors import UserError, nearest_first, warn_once
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.utils.commands import command_line

__all__ = ["find_model", "find_trained", "is_shipped", "shipped_models"]


def find_model(name: str) -> RunDirectory:
    """Find a run or a saved model as `RunDirectory.find` does, or the model that is shipped.

    The shipped model of an experiment is taken where that has no run here; a line says so.

    Raises:
        UserError: there is no such run or model; the message lists those that exist.
    """
    try:
        return RunDirectory.find(name)
    except UserError as error:
        shipped = shipped_models()
        if name not in shipped:
            if not shipped:
                raise
            models = nearest_first(name, shipped)
            raise UserError(f"{error}; there are trained models of {models}") from error
    warn_once(f"there is no run of {name} here; using the trained model in the package")
    return shipped[name]


def find_trained(name: str) -> RunDirectory:
    """Find a run as `RunDirectory.find` does, for commands about its training.

    Raises:
        UserError: there is no such run, or it is a saved model, which has no metrics and pictures
            of its training.
    """
    advice = f"train it again by `{command_line('gan-lightning', 'train', name)}`"
    try:
        run = RunDirectory.find(name)
    except UserError as error:
        if name not in shipped_models():
            raise
        reason = "the trained model in the package has no curves or pictures of its training"
        raise UserError(f"there is no run of {name} here, and {reason}; {advice}") from error
    if run.generator_file.is_file() and not run.metrics.is_file():
        raise UserError(f"{name} is a saved model, without curves or pictures of its training")
    return run


def shipped_models() -> dict[str, RunDirectory]:
    """Return the shipped models by the names of their experiments."""
    configs = sorted(MODELS.glob("*/config.yaml"))
    return {config.parent.name: RunDirectory(config.parent) for config in configs}


def is_shipped(model: RunDirectory) -> bool:
    """Return whether a folder is a shipped model, into which nothing is written."""
    return model.path.resolve().parent == MODELS.resolve()
