"""What a run has changed of its experiment, whose claims then have no verdict on the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lightning.config.fingerprint import NOT_IN_TRAINING, affects_result, flatten
from gan_lightning.config.schema import RunConfig, as_plain

__all__ = ["changes_experiment", "describe_changes", "list_changes", "overridden_values"]

SAME_EXPERIMENT = (
    "seed",
    "overridden",
    "trainer.devices",
    "trainer.nodes",
    "trainer.accelerator",
    "data.root",
    "data.store",
    "data.path",
    "data.init.root",
    "evaluation.inception",
)
"""Keys that decide results but not which experiment is made: seed, devices, places of files."""

MAX_NAMED = 3
"""Changed keys that one line names."""


def changes_experiment(key: str) -> bool:
    """Tell whether an override of a config key makes another experiment of it."""
    return affects_result(key) and key not in SAME_EXPERIMENT


def overridden_values(before: RunConfig, after: RunConfig, keys: Sequence[str]) -> dict[str, Any]:
    """Return the values that an experiment had before it was changed, nested like a config.

    Where the experiment is a run that is resumed, what was changed at its start stays; a budget or
    an evaluation that is set back is no change.

    Args:
        before: config of the experiment, or of the run.
        after: config with the changes.
        keys: keys that may have changed, for example `trainer.max_updates`, or sections.
    """
    if "claims" in keys:
        return {}  # claims of its own
    old, new = (dict(flatten(as_plain(config))) for config in (before, after))
    original = {
        name: old[name]
        for key in keys
        for name in old
        if (name == key or name.startswith(f"{key}."))
        and changes_experiment(name)
        and old[name] != new.get(name)
    }
    original |= dict(flatten(before.overridden))
    kept = {
        name: value
        for name, value in sorted(original.items(), key=_order)
        if not (name.startswith(NOT_IN_TRAINING) and value == new.get(name))
    }
    return _nested(kept)


def describe_changes(config: Mapping[str, Any]) -> str:
    """Name what a run has changed of its experiment, as a phrase; empty where it has nothing.

    Args:
        config: the config of a run as plain values.
    """
    overridden = config.get("overridden")
    if not isinstance(overridden, Mapping) or not overridden:
        return ""
    original = {
        section: {"name": part["name"]} if isinstance(part, Mapping) and "name" in part else part
        for section, part in overridden.items()  # a class of another name has other keys
    }
    values = dict(flatten({key: part for key, part in config.items() if key != "overridden"}))
    changes = [
        f"{name} is {values.get(name)}, not {value}"
        if values.get(name) != value
        else f"{name} was changed for a part of the run"
        for name, value in flatten(original)
    ]
    return list_changes(changes)


def list_changes(changes: Sequence[str]) -> str:
    """Join descriptions of changes, not too many of them."""
    more = len(changes) - MAX_NAMED
    return "; ".join(changes[:MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _order(item: tuple[str, Any]) -> tuple[bool, str]:
    """Order changed keys: the budget and other keys of `trainer` first, then by name."""
    return not item[0].startswith("trainer."), item[0]


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert dotted keys to nested dictionaries."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        part = nested
        for section in sections:
            part = part.setdefault(section, {})
        part[name] = value
    return nested
