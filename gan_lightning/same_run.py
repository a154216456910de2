"""Which keys of a config decide what a run measures at its end."""

from __future__ import annotations

from typing import Any

from gan_lightning.schema import RunConfig, as_plain

__all__ = ["decides", "deciding"]

WITHOUT_EFFECT = (
    "title",
    "paper",
    "claims",
    "log",
    "pictures",
    "checkpoints",
    "evaluation.every",
    "trainer.rounds_per_batch",
    "trainer.threads",
)
"""Keys that leave the final weights as they are, threads up to rounding."""


def decides(key: str) -> bool:
    """Tell whether a key of a config, as trainer.max_steps, has a part in the final measures."""
    return not any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)


def deciding(config: RunConfig) -> dict[str, Any]:
    """Return the values that decide a run's final measures: equal values, the same run."""
    return {
        section: {key: part for key, part in value.items() if decides(f"{section}.{key}")}
        if isinstance(value, dict)
        else value
        for section, value in as_plain(config).items()
        if decides(section)
    }
