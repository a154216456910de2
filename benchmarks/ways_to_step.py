"""Draw the trajectories of all update rules in the bilinear game, and the distance of each.

The experiments bilinear_NAME are trained for some rounds, each in a second.

    python benchmarks/ways_to_step.py

writes docs/pictures/ways-to-step.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_lightning.callbacks import PhasePortrait
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.gans.update_rules import UPDATE_RULES
from gan_lightning.testing.training import quiet, quiet_trainer
from gan_lightning.training.build import build

__all__ = ["draw", "trajectory"]

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "ways-to-step.png"

ROUNDS = 60

COLOURS = ("#777777", "#222222", "#d1495b", "#edae49", "#00798c", "#33658a", "#8f5db7")

Points = NDArray[np.float64]
"""(x, y) before the first and after each round, (rounds + 1, 2)."""


class _Recorder(PhasePortrait):
    """Records the trajectory, and draws nothing."""

    def __init__(self) -> None:
        super().__init__(Path("unused"), 0)

    def on_interval(self, *_: Any) -> None:
        """Draw nothing."""


def trajectory(rule: str, rounds: int = ROUNDS) -> Points:
    """Train bilinear_NAME, and return the players of min_x max_y x y.

    The discriminator's slope is -y.
    """
    source = read_yaml(experiment_path(f"bilinear_{rule}"))
    model, data = build(load_config(source, [f"trainer.max_updates={rounds}"]))
    recorder = _Recorder()
    with quiet():
        quiet_trainer(callbacks=[recorder]).fit(model, datamodule=data)
    return np.array([(theta, -psi) for _, theta, psi in recorder.trajectory])


def draw(path: Path) -> None:
    """Draw a plane for each rule, and the distance of all from the equilibrium."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.8), layout="constrained")
    *planes, distances = figure.subplots(2, 4).flat
    for axes, rule, colour in zip(planes, UPDATE_RULES, COLOURS, strict=True):
        points = trajectory(rule)
        _draw_plane(axes, rule, points, colour)
        style = "--" if rule == "symplectic" else "-"  # the same distances as consensus
        distances.plot(np.hypot(*points.T), style, color=colour)
    distances.set_yscale("log")
    distances.set_ylim(1e-3, 10)
    distances.set_title("distance from the equilibrium", fontsize=10)
    distances.set_xlabel("rounds")
    distances.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def _draw_plane(axes: Any, rule: str, points: Points, colour: str) -> None:
    axes.plot(*points.T, ".-", color=colour, markersize=3, linewidth=1)
    axes.plot(*points[0], "o", color="black", markersize=5)
    axes.plot(0, 0, "+", color="black", markersize=12, markeredgewidth=1.5)
    axes.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
    axes.set(xlabel="x", ylabel="y")
    axes.set_title(rule, fontsize=10, color=colour, weight="bold")
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    draw(PICTURE)
