"""What to change in a run that is in some state, in the order of how often it has helped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["REMEDIES", "Remedy", "remedies_for"]

Config = Mapping[str, Any]
"""The config of a run as plain values."""

PLAYERS = ("discriminator", "generator")
LEAST_RATE, LARGEST_RATE = 2e-4, 1e-3
"""Learning rates between which a balanced one lies."""

CLIP = 0.03
"""Largest weight of a clipped critic of points."""

GAMMA = 0.1
"""Weight of gradient penalties on real and generated samples."""

POINTS = 100_000
"""Points of a 2-D world where a config does not limit them."""

LEAST_BATCH = 128
"""Smallest minibatch where the data are not limited."""


@dataclass(frozen=True)
class Remedy:
    """A change of a config.

    Args:
        reason: what it changes in the game, as a phrase.
        overrides: returns `key=value` for a config; none where it does not apply.
    """

    reason: str
    overrides: Callable[[Config], list[str]]


def remedies_for(state: str, config: Config) -> list[tuple[str, list[str]]]:
    """Return the reasons and overrides of the remedies of a state that apply to a config."""
    found = [(each.reason, each.overrides(config)) for each in REMEDIES.get(state, ())]
    return [(reason, overrides) for reason, overrides in found if overrides]


def _value(config: Config, key: str, default: Any = None) -> Any:
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return default
        value = value[part]
    return value


def _balanced(config: Config) -> list[str]:
    """Give both players Adam with the same rate and no momentum, which plays against itself."""
    rates = [_value(config, f"model.{each}_optimizer.learning_rate") for each in PLAYERS]
    if not all(isinstance(rate, int | float) and rate > 0 for rate in rates):
        return []
    rate = min(max(*rates, LEAST_RATE), LARGEST_RATE)
    overrides = []
    for player in PLAYERS:
        overrides += [
            f"model.{player}_optimizer.name=adam",
            f"model.{player}_optimizer.learning_rate={rate:.1g}",
            f"model.{player}_optimizer.betas=[0,0.9]",
        ]
    if _value(config, "model.update_rule.name", "alternating") == "simultaneous":
        overrides.append("model.update_rule.name=alternating")
    return overrides


def _penalised(config: Config) -> list[str]:
    """Penalise the gradients of the discriminator on real samples."""
    present = _value(config, "model.regularisation.r1", 0) or 0
    return [] if GAMMA / 3 <= present <= 3 else [f"model.regularisation.r1={GAMMA}"]


def _stable(config: Config) -> list[str]:
    """Combine equal rates with a penalty: locally, such a game converges."""
    balanced = _balanced(config)
    if "regularisation" not in (_value(config, "model") or {}):
        return balanced
    return [*balanced, *_penalised(config), *_lipschitz(config)]


def _lipschitz(config: Config) -> list[str]:
    """Widen the range of the weights of a clipped critic, which is blind with small ones."""
    clip = _value(config, "model.clip")
    return [f"model.clip={CLIP}"] if isinstance(clip, float) and clip < CLIP / 3 else []


def _relativistic(config: Config) -> list[str]:
    """Compare each real sample with a generated one, and penalise both gradients."""
    if not isinstance(_value(config, "model.objective"), str):
        return []
    penalties = [f"model.regularisation.{each}={GAMMA}" for each in ("r1", "r2")]
    return ["model.objective=relativistic", *penalties, *_balanced(config)]


def _wider(config: Config) -> list[str]:
    """Give each player wide layers where one of them has narrow ones."""
    overrides = []
    for player in PLAYERS:
        hidden = _value(config, f"network.{player}_hidden")
        other = _value(config, f"network.{PLAYERS[player == 'discriminator']}_hidden")
        if isinstance(hidden, Sequence) and hidden and other and min(hidden) < max(other) / 4:
            overrides.append(f"network.{player}_hidden={[max(other)] * max(2, len(hidden))}")
    return overrides


def _wide_and_stable(config: Config) -> list[str]:
    wider = _wider(config)
    return [*wider, *(_relativistic(config) or _stable(config))] if wider else []


def _longer(factor: int) -> Callable[[Config], list[str]]:
    def overrides(config: Config) -> list[str]:
        updates = _value(config, "trainer.max_updates")
        return [f"trainer.max_updates={updates * factor}"] if isinstance(updates, int) else []

    return overrides


def _packed(config: Config) -> list[str]:
    return ["network.packing=2", *_balanced(config)]


def _noisy(config: Config) -> list[str]:
    """Blur the few data for the discriminator, so that it cannot know each by heart."""
    return ["model.regularisation.instance_noise=0.5", "model.regularisation.r1=1"]


def _all_data(config: Config) -> list[str]:
    """Lift the limits of a config on its training data and on its minibatch."""
    overrides = []
    points = _value(config, "data.points")
    if isinstance(points, int) and points < POINTS:
        overrides.append(f"data.points={POINTS}")
    if _value(config, "data.training_samples"):
        overrides.append("data.training_samples=0")
    batch = _value(config, "data.batch_size")
    if overrides and isinstance(batch, int) and batch < LEAST_BATCH:
        overrides.append(f"data.batch_size={LEAST_BATCH}")
    return overrides


def _augmented(config: Config) -> list[str]:
    if _value(config, "network.name") == "mlp":
        return []
    return ["model.regularisation.augmentation=[colour,translation,cutout]"]


STABLE = Remedy("equal, moderate learning rates without momentum, and a penalty (R1)", _stable)
RELATIVISTIC = Remedy("the relativistic loss with penalties on both sides (R3GAN)", _relativistic)
WIDER = Remedy("wide layers where one player has narrow ones", _wide_and_stable)

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "diverged": (RELATIVISTIC, STABLE),
    "discriminator_won": (RELATIVISTIC, STABLE),
    "discriminator_too_weak": (WIDER, RELATIVISTIC, STABLE),
    "mode_collapse": (WIDER, RELATIVISTIC, Remedy("packs of two samples", _packed), STABLE),
    "oscillating": (RELATIVISTIC, STABLE),
    "memorising": (
        Remedy("all training data, where the config limits them", _all_data),
        Remedy("augmented images", _augmented),
        Remedy("noise on the discriminator's input, and a larger penalty", _noisy),
    ),
    "under_trained": (Remedy("more updates", _longer(3)),),
    "improving": (Remedy("more updates", _longer(2)),),
}
"""State -> remedies, the first one first; a converged run has none."""
