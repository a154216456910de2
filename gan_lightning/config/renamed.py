"""Renamed config keys: errors that name the new key, and the upgrade of earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from gan_lightning.errors import UserError

__all__ = ["check_old_keys", "upgrade"]

RENAMED = {
    "trainer.max_steps": "trainer.max_updates",
    "evaluation.every": "evaluation.every_n_updates",
    "pictures.every": "pictures.every_n_updates",
    "checkpoints.every": "checkpoints.every_n_updates",
    "log.every": "log.every_n_updates",
    "network.leakiness": "network.negative_slope",
    "network.minibatch_of_all": "network.sync_minibatch_discrimination",
    "data.labelled_draw": "data.labelled_seed",
}
"""Old key -> new key."""

RENAMED_IN_CLAIMS: dict[str | bool, str] = {
    "on": "aggregate",
    True: "aggregate",
    "says": "statement",
}
"""Old key -> new key of a claim; YAML 1.1 reads the key `on` as true."""

AGGREGATES = {"every": "all", "best": "any"}
"""Old value -> new value of `aggregate` of a claim."""


def check_old_keys(source: dict[str, Any], overrides: Sequence[str] = ()) -> None:
    """Check that a config has no key that has been renamed.

    Args:
        source: content of a YAML file.
        overrides: `key=value` of a command line.

    Raises:
        UserError: it has one; the message names the new key.
    """
    given = {override.partition("=")[0] for override in overrides}
    for old, new in RENAMED.items():
        section, _, name = old.partition(".")
        if old in given or name in _mapping(source.get(section)):
            raise UserError(f"key {old!r} has been renamed; write {new!r}")
    for claim in _claims(source):
        for key, new in RENAMED_IN_CLAIMS.items():
            if key in claim:
                shown = "on" if key is True else key
                raise UserError(f"key {shown!r} in claims has been renamed; write {new!r}")


def upgrade(source: dict[str, Any]) -> dict[str, Any]:
    """Return the config of an earlier run with the keys renamed and the layers that it had."""
    upgraded = copy(source)
    for old, new in RENAMED.items():
        section, _, name = old.partition(".")
        if name in (values := _mapping(upgraded.get(section))):
            short = new.partition(".")[2]
            upgraded[section] = {short if key == name else key: v for key, v in values.items()}
    network = _mapping(upgraded.get("network"))
    if network.get("minibatch_kernels") and "minibatch_layer" not in network:
        upgraded["network"] = {**network, "minibatch_layer": "mean"}
    if "claims" in source:
        upgraded["claims"] = [_upgraded_claim(claim) for claim in source["claims"] or []]
    return upgraded


def _upgraded_claim(claim: Any) -> Any:
    if not isinstance(claim, dict):
        return claim
    renamed = {RENAMED_IN_CLAIMS.get(key, key): value for key, value in claim.items()}
    if "aggregate" in renamed:
        renamed["aggregate"] = AGGREGATES.get(renamed["aggregate"], renamed["aggregate"])
    return renamed


def _claims(source: dict[str, Any]) -> list[dict[Any, Any]]:
    claims = source.get("claims")
    return (
        [claim for claim in claims if isinstance(claim, dict)] if isinstance(claims, list) else []
    )


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
