"""What to change in a run that is sick: only what the run would accept."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.data import BaseDataModule
from gan_lightning.diagnosis import remedies_for
from gan_lightning.training.build import build_model
from gan_lightning.training.checks import check_batch_norm, check_minibatch

__all__ = ["accepted_remedies", "accepts_change", "advise"]


def advise(config: RunConfig, data: BaseDataModule, state: str) -> list[str]:
    """Return in words what to change in a run that is in some state.

    Args:
        config: config of the run.
        data: its data module.
        state: one of `gan_lightning.diagnosis.STATES`.
    """
    return [reason for reason, _ in accepted_remedies(config, data, state)]


def accepted_remedies(
    config: RunConfig, data: BaseDataModule, state: str
) -> list[tuple[str, list[str]]]:
    """Return the reasons and overrides of the remedies of a state that a run would accept."""
    return [
        (reason, overrides)
        for reason, overrides in remedies_for(state, as_plain(config))
        if accepts_change(config, data, overrides)
    ]


def accepts_change(config: RunConfig, data: BaseDataModule, overrides: Sequence[str]) -> bool:
    """Tell whether a run could be started with more overrides, and they would change it.

    The model is built, on the CPU, and forgotten; random states stay as they are.

    Args:
        config: config of the run.
        data: its data module.
        overrides: each `key=value`, for example `network.packing=2`.
    """
    try:
        changed = load_config(as_plain(config), list(overrides))
        check_minibatch(changed)
        check_batch_norm(changed, build_model(changed, data))
    except Exception:  # of a class of the user it may be any
        return False
    return changed != config
