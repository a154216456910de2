"""The fingerprint of a run: the config values that affect its result.

Two runs with equal fingerprints have the same final model and the same metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gan_lightning.config.schema import RunConfig, as_plain

__all__ = ["NOT_IN_TRAINING", "affects_result", "changed_values", "fingerprint", "flatten"]

WITHOUT_EFFECT = (
    "title",
    "paper",
    "claims",
    "overridden",
    "log",
    "game",
    "pictures",
    "checkpoints",
    "evaluation.every_n_updates",
    "data.cache",
    "data.readers",
    "trainer.cuda_graphs",
    "trainer.rounds_per_batch",
    "trainer.threads",
)
"""Keys and sections that do not affect the final weights; threads affect rounding only.

CUDA graphs make the same operations.
"""

NOT_IN_TRAINING = ("trainer.max_updates", "evaluation.")
"""Keys that affect what is evaluated and when, but not the weights after an update."""


def affects_result(key: str) -> bool:
    """Tell whether a config key, for example `trainer.max_updates`, affects a run's result."""
    return not any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)


def fingerprint(config: RunConfig) -> dict[str, Any]:
    """Return the values of a config that affect the result, as nested dictionaries."""
    return {
        section: {key: part for key, part in value.items() if affects_result(f"{section}.{key}")}
        if isinstance(value, dict)
        else value
        for section, value in as_plain(config).items()
        if affects_result(section)
    }


def changed_values(before: RunConfig, after: RunConfig) -> list[str]:
    """List the values that affect the weights and differ, for example `model.latent_size 2 -> 3`.

    A different number of updates is not listed: the updates that both runs have are the same.

    Args:
        before: config that a run was started with.
        after: config that it is resumed with.
    """
    old, new = (dict(flatten(fingerprint(config))) for config in (before, after))
    keys = [key for key in {**old, **new} if not key.startswith(NOT_IN_TRAINING)]
    return [
        f"{key} {old.get(key)} -> {new.get(key)}" for key in keys if old.get(key) != new.get(key)
    ]


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries with their dotted keys."""
    if not isinstance(value, dict):
        yield key, value
        return
    for name, part in value.items():
        yield from flatten(part, f"{key}.{name}" if key else str(name))
