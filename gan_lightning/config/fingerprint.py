"""Which keys of a config decide what a run measures at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gan_lightning.config.schema import RunConfig, as_plain

__all__ = ["affects_result", "deciding", "differences", "flat"]

WITHOUT_EFFECT = (
    "title",
    "paper",
    "claims",
    "log",
    "pictures",
    "checkpoints",
    "evaluation.every_n_updates",
    "trainer.rounds_per_batch",
    "trainer.threads",
)
"""Keys that leave the final weights as they are, threads up to rounding."""

BESIDES = ("trainer.max_updates", "evaluation.")
"""Keys that decide what is measured of which weights, not the weights of an update."""


def affects_result(key: str) -> bool:
    """Tell whether a key of a config, as trainer.max_updates, has a part in the final measures."""
    return not any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)


def deciding(config: RunConfig) -> dict[str, Any]:
    """Return the values that decide a run's final measures: equal values, the same run."""
    return {
        section: {key: part for key, part in value.items() if affects_result(f"{section}.{key}")}
        if isinstance(value, dict)
        else value
        for section, value in as_plain(config).items()
        if affects_result(section)
    }


def differences(before: RunConfig, now: RunConfig) -> list[str]:
    """Say which values that decide the weights differ, as `model.latent_size 2 -> 3`.

    A longer budget is none: its first updates are the same.

    Args:
        before: config that a run was begun with.
        now: config that it is to go on with.
    """
    old, new = (dict(flat(deciding(config))) for config in (before, now))
    keys = [key for key in {**old, **new} if not key.startswith(BESIDES)]
    return [
        f"{key} {old.get(key)} -> {new.get(key)}" for key in keys if old.get(key) != new.get(key)
    ]


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries with their keys."""
    if not isinstance(value, dict):
        yield key, value
        return
    for name, part in value.items():
        yield from flat(part, f"{key}.{name}" if key else str(name))
