"""Small `sweep:` blocks for an experiment on points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.sweeps.space import Sweep, read_sweep

__all__ = ["BLOCK", "RANDOM", "RATE", "read", "ring", "write"]

RATE = "model.generator_optimizer.learning_rate"
BLOCK: dict[str, Any] = {
    "metric": "wasserstein/exact",
    "goal": "minimise",
    "method": "grid",
    "space": {"network.packing": {"values": [2, 3, 1]}},
}
"""Packs of three do not fill the tiny run's minibatch of eight, so that run fails."""
RANDOM = {**BLOCK, "method": "random", "space": {RATE: {"min": 1e-4, "max": 1e-2, "log": True}}}


def ring(block: Any) -> dict[str, Any]:
    """Return gan_ring with a `sweep:` block."""
    return {**read_yaml(experiment_path("gan_ring")), "sweep": block}


def write(folder: Path, block: Any) -> str:
    (folder / "ring.yaml").write_text(yaml.dump(ring(block)))
    return "ring.yaml"


def read(block: dict[str, Any], count: int | None = None) -> Sweep:
    return read_sweep(ring(block), [], count)
