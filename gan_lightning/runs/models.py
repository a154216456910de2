"""Saved and shipped models: folders that load as runs do, with a generator and no checkpoint."""

from __future__ import annotations

from gan_lightning.assets.loader import MODELS
from gan_lightning.errors import UserError, nearest_first, warn_once
from gan_lightning.runs.directory import RunDirectory

__all__ = ["find_model", "is_shipped", "shipped_models"]


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
            raise UserError(f"{error}; models are shipped of {models}") from error
    warn_once(f"{name} has no run here; this is the model that gan-lightning ships")
    return shipped[name]


def shipped_models() -> dict[str, RunDirectory]:
    """Return the shipped models by the names of their experiments."""
    configs = sorted(MODELS.glob("*/config.yaml"))
    return {config.parent.name: RunDirectory(config.parent) for config in configs}


def is_shipped(model: RunDirectory) -> bool:
    """Return whether a folder is a shipped model, into which nothing is written."""
    return model.path.resolve().parent == MODELS.resolve()
