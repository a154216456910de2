"""Draw the landscape of the game on two modes, for the GAN loss and the pairing loss.

The data are two points, at 0 and 1, and the generator has two points. One is at 0; the other one
moves from 0, where the generator has collapsed, to 1, where it covers both. For each position the
discriminator is the best one whose slope is at most a bound. The generator of the zero-sum game
minimises the negative of this discriminator's loss.

    python benchmarks/two_modes.py

writes docs/pictures/two-modes.png.

Source: Sun, Fang, Schwing 2020 (arXiv:2011.04926), section 3, whose discriminators have no bound
    and whose pairs are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOSSES", "discriminator_loss", "draw"]

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "two-modes.png"

BOUNDS = (100.0, 10.0, 1.0)
"""Bounds of the discriminator's slope that are drawn."""

POSITIONS = np.linspace(0, 1, 41)

Scores = NDArray[np.float64]
"""Scores at 0, at 1 and at the moving point."""


def _softplus(value: float) -> float:
    return float(np.logaddexp(0, value))


def gan_loss(scores: Scores) -> float:
    """Return the cross-entropy; real points have the scores 0 and 1, generated ones 0 and 2."""
    at_0, at_1, moving = scores
    real = _softplus(-at_0) + _softplus(-at_1)
    return (real + _softplus(at_0) + _softplus(moving)) / 2


def fixed_pairs_loss(scores: Scores) -> float:
    """Return the pairing loss where each point of the data always meets the same generated one."""
    _, at_1, moving = scores
    return (_softplus(0) + _softplus(moving - at_1)) / 2


def random_pairs_loss(scores: Scores) -> float:
    """Return the pairing loss where pairs are drawn anew, as in training: the mean of all pairs."""
    at_0, at_1, moving = scores
    first = _softplus(0) + _softplus(moving - at_0)
    return (first + _softplus(at_0 - at_1) + _softplus(moving - at_1)) / 4


LOSSES: dict[str, Callable[[Scores], float]] = {
    "GAN": gan_loss,
    "pairing, fixed pairs": fixed_pairs_loss,
    "pairing, random pairs": random_pairs_loss,
}


def discriminator_loss(loss: Callable[[Scores], float], position: float, slope: float) -> float:
    """Return the loss of the best discriminator.

    Args:
        loss: convex function of the scores.
        position: of the moving point, in [0, 1].
        slope: bound of the discriminator's slope, above 0.
    """
    from scipy.optimize import minimize

    points = np.array([0.0, 1.0, position])
    pairs = list(combinations(range(3), 2))
    differences = np.zeros((len(pairs), 3))
    for row, (first, second) in enumerate(pairs):
        differences[row, first], differences[row, second] = 1, -1
    bounds = slope * np.abs(differences @ points)

    def room(scores: Scores) -> Scores:
        """Return how far the differences of the scores are from their bounds."""
        return np.concatenate([bounds - differences @ scores, bounds + differences @ scores])

    constraint: Any = {"type": "ineq", "fun": room}
    options: Any = {"maxiter": 500, "ftol": 1e-10}
    found = minimize(loss, np.zeros(3), method="SLSQP", constraints=constraint, options=options)
    return float(found.fun)


def draw(path: Path) -> None:
    """Draw the generator's loss over the position, in units of the discriminator's loss at 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    for axes, (name, loss) in zip(figure.subplots(1, 3, sharey=True), LOSSES.items(), strict=True):
        for bound in BOUNDS:
            values = np.array([discriminator_loss(loss, p, bound) for p in POSITIONS])
            axes.plot(POSITIONS, -values / values[-1], label=f"slope at most {bound:g}")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("second generated point")
        axes.set_xticks([0, 1], ["0\ncollapsed", "1\nboth modes"])
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("generator's loss")
    figure.axes[0].legend(fontsize=8, loc="upper right")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    draw(PICTURE)
