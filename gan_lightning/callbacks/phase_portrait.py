"""The phase portrait of the Dirac GAN: the whole game as a curve in a plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer

from gan_lightning.callbacks.figures import Array, render_figure, save_picture
from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.callbacks.vector_field import ARROWS, Floats, dirac_parameters, vector_field
from gan_lightning.core.module import BaseModule
from gan_lightning.gans import GAN

__all__ = ["PhasePortrait", "draw_portrait"]

MARGIN = 1.15


class PhasePortrait(Periodic):
    """Draws the way of (theta, psi) over the forces on both players, and its distance from (0, 0).

    Where the players stand is recorded after every Lightning batch, so after every update where
    `trainer.rounds_per_batch` is 1, and kept in checkpoints: a resumed run has the whole way.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.

    Attributes:
        way: (update, theta, psi) of every record.

    Source: after the pictures of Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), of their
        notebooks/DiracGAN.ipynb (github.com/LMescheder/GAN_stability).
    """

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(every)
        self.folder = folder
        self.way: list[tuple[int, float, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record where the players start, or go on."""
        super().on_train_start(trainer, pl_module)
        assert isinstance(pl_module, GAN)
        self.way = [record for record in self.way if record[0] < pl_module.updates]
        self._record(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record where the players stand, and draw when due."""
        assert isinstance(pl_module, GAN)
        self._record(pl_module)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the portrait."""
        if isinstance(learner, GAN) and self.way and trainer.is_global_zero:
            way = np.array(self.way, np.float64)
            reach = MARGIN * reach_of(way[:, 1:])
            picture = draw_portrait(way, *vector_field(learner, reach))
            save_picture(trainer, learner, self.folder, "portrait", picture)

    def state_dict(self) -> dict[str, Any]:
        """Return the way so far."""
        way = torch.tensor(self.way, dtype=torch.float64).view(-1, 3)
        return {**super().state_dict(), "way": way}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the way."""
        super().load_state_dict(state_dict)
        self.way = [(int(update), theta, psi) for update, theta, psi in state_dict["way"].tolist()]

    def _record(self, gan: GAN) -> None:
        players = dirac_parameters(gan)
        if players is not None:
            self.way.append((gan.updates, *players.standing()))


def reach_of(points: Floats) -> float:
    """Return the largest finite coordinate of points (N, 2), at least 1e-3."""
    finite = np.abs(points[np.isfinite(points)])
    return float(finite.max(initial=1e-3))


def draw_portrait(way: Floats, standings: Floats, forces: Floats) -> Array:
    """Draw the way over the forces, and beside it the distance from the equilibrium.

    Args:
        way: (update, theta, psi) of every record, (N, 3).
        standings: where the forces are known, (M, 2).
        forces: on (theta, psi), (M, 2); NaN for none.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.6), dpi=110, layout="constrained")
    plane, distance = figure.subplots(1, 2, width_ratios=(1, 1.1))
    _draw_plane(plane, way[:, 1:], standings, forces)
    _draw_distance(distance, way[:, 0], np.hypot(way[:, 1], way[:, 2]))
    figure.suptitle(f"The players after {int(way[-1, 0]):,} updates")
    return render_figure(figure)


def _draw_plane(axis: Any, way: Floats, standings: Floats, forces: Floats) -> None:
    sizes = np.hypot(*forces.T)
    # the length says little where forces differ by decades: the shade says it
    directions = forces / np.where(sizes > 0, sizes, 1)[:, None]
    arrows = axis.quiver(
        *standings.T,
        *directions.T,
        sizes,
        cmap="Greys",
        norm=_shades(sizes),
        pivot="mid",
        scale=1.4 * ARROWS,
        width=0.004,
    )
    arrows.set_zorder(1)
    axis.plot(*way.T, color="#d1495b", linewidth=1.3, zorder=2, label="way")
    axis.plot(*way[0], "o", color="#33658a", markersize=9, zorder=4, label="start")
    axis.plot(*way[-1], "s", color="#d1495b", markeredgecolor="black", zorder=5, label="end")
    axis.plot(0, 0, "+", color="black", markersize=14, markeredgewidth=2, zorder=3)
    axis.plot([], [], "+", color="black", markersize=9, markeredgewidth=2, label="equilibrium")
    reach = 1.05 * float(np.abs(standings).max())
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axis.set(xlabel="θ: generated point", ylabel="ψ: slope of the discriminator")
    axis.set_title("over the forces on both players (darker: stronger)", fontsize=10)
    # beside the plane: anywhere on it, it would hide some run's way
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False)


def _shades(sizes: Floats) -> Any:
    """Map forces to greys that are never white."""
    from matplotlib.colors import Normalize

    largest = float(np.nanmax(sizes, initial=0.0)) or 1.0
    return Normalize(vmin=-0.5 * largest, vmax=largest)


def _draw_distance(axis: Any, updates: Floats, distances: Floats) -> None:
    axis.plot(updates, distances, color="#d1495b", linewidth=1.5)
    finite = distances[np.isfinite(distances) & (distances > 0)]
    if finite.size and finite.max() > 10 * finite.min():
        axis.set_yscale("log")
    else:
        axis.set_ylim(0, 1.1 * finite.max(initial=1e-3))
    axis.set(xlabel="generator updates", ylabel="distance from the equilibrium")
    axis.set_title("√(θ² + ψ²)", fontsize=10)
    axis.grid(alpha=0.3)
