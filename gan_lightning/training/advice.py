"""Whether a change that a warning recommends is one that the run would accept."""

from __future__ import annotations

from gan_lightning.config.fingerprint import flatten
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.data import BaseDataModule
from gan_lightning.training.build import build_model
from gan_lightning.training.checks import check_batch_norm, check_minibatch

__all__ = ["accepts_change"]


def accepts_change(config: RunConfig, data: BaseDataModule, override: str) -> bool:
    """Tell whether a run could be started with one more override, which is not in force already.

    The model is built, on the CPU, and forgotten; random states stay as they are.

    Args:
        config: config of the run.
        data: its data module.
        override: `key=value`, for example `network.packing=2`.
    """
    try:
        changed = load_config(as_plain(config), [override])
        check_minibatch(changed)
        check_batch_norm(changed, build_model(changed, data))
    except Exception:  # of a class of the user it may be any
        return False
    key = override.partition("=")[0]
    before, after = (dict(flatten(as_plain(each))).get(key) for each in (config, changed))
    if isinstance(before, int | float) and isinstance(after, int | float):
        return after > before  # a warning recommends more of something, such as a penalty
    return before != after
