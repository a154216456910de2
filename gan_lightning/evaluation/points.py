"""What measures points of the 2-D worlds."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.data.toy2d import GaussianMixture, Points
from gan_lightning.evaluation.base import SampleEvaluator, floats
from gan_lightning.metrics import ClassConditionalAccuracy, ExactWasserstein, ModeCoverage

__all__ = ["ModeEvaluator", "TransportEvaluator"]

TRANSPORT_POINTS = 2000
"""Of each side in an exact transport: about half a second on a processor core (measured)."""


class TransportEvaluator(SampleEvaluator):
    """Measures how far the first 2,000 points lie from as many real ones."""

    def __init__(self, data: Points, device: torch.device) -> None:
        real = data.test_data().data[:TRANSPORT_POINTS]
        self._distance = ExactWasserstein(real).to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in points (N, 2)."""
        self._distance.update(data, first)

    def compute(self) -> dict[str, float]:
        """Return the exact Wasserstein-1 distance, in units of the plane."""
        distance: Tensor = self._distance.compute()
        return {"wasserstein/exact": distance.item()}


class ModeEvaluator(SampleEvaluator):
    """Counts the modes of a Gaussian mixture that points cover, and measures their transport."""

    def __init__(self, data: GaussianMixture, device: torch.device, asks: bool = False) -> None:
        self._coverage = ModeCoverage(data.centres, data.standard_deviation).to(device)
        self._transport = TransportEvaluator(data, device)
        self._asked = ClassConditionalAccuracy().to(device) if asks else None

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in points (N, 2)."""
        self._coverage.update(data)
        self._transport.update(data, first)
        if self._asked is not None and asked is not None:
            self._asked.update(self._coverage.nearest(data)[1], asked)

    def compute(self) -> dict[str, float]:
        """Return modes covered, share of high quality, reverse KL in nats, and the transport."""
        found = {**floats(self._coverage), **self._transport.compute()}
        return {**found, **(floats(self._asked) if self._asked else {})}
