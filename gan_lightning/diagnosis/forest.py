"""Trees that vote on the state of a run, fitted by benchmarks/fit_diagnosis.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

__all__ = ["MISSING", "Forest", "shipped_forest"]

MISSING = -9.0
"""Value of a feature that a run has not logged; all features are above it."""


@dataclass(frozen=True)
class Forest:
    """Decision trees, whose votes are averaged.

    Args:
        states: what the leaves vote on.
        features: names of the features, in the order of their numbers.
        trees: of each tree its nodes, the root first. A node is `[feature, threshold, left, right]`
            (left where the feature is at most the threshold), and a leaf a list of votes in
            percent, one a state.
    """

    states: Sequence[str]
    features: Sequence[str]
    trees: Sequence[Sequence[Sequence[Any]]]

    def vote(self, features: Mapping[str, float]) -> dict[str, float]:
        """Return the share of the votes of each state; they sum to 1."""
        values = [max(MISSING, features.get(name, MISSING)) for name in self.features]
        total = [0.0] * len(self.states)
        for tree in self.trees:
            node = tree[0]
            while len(node) == 4:
                feature, threshold, left, right = node
                node = tree[left if values[feature] <= threshold else right]
            for index, votes in enumerate(node):
                total[index] += votes
        whole = sum(total)
        return {state: votes / whole for state, votes in zip(self.states, total, strict=True)}


@lru_cache(maxsize=1)
def shipped_forest() -> Forest:
    """Return the forest that the package contains."""
    text = files("gan_lightning.diagnosis").joinpath("forest.json").read_text(encoding="utf-8")
    return Forest(**json.loads(text))
