"""Phase portrait of the Dirac GAN: the trajectory of its two parameters in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, render_figure, save_picture
from gan_lightning.callbacks.vector_field import GRID_SIZE, Floats, dirac_parameters, vector_field
from gan_lightning.core.module import BaseModule
from gan_lightning.gans import GAN

__all__ = ["PhasePortrait", "draw_portrait"]

MARGIN = 1.15


class PhasePortrait(ImageCallback):
    """Draw the trajectory of (theta, psi) over the vector field, and its distance from (0, 0).

    The parameters are recorded after every Lightning batch, that is after every update if
    `trainer.rounds_per_batch` is 1, and kept in checkpoints, so a resumed run has the complete
    trajectory.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.

    Attributes:
        trajectory: (update, theta, psi) of every record.

    Source: after the figures of Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), drawn by their
        notebooks/DiracGAN.ipynb (github.com/LMescheder/GAN_stability).
    """

    def __init__(self, folder: Path, every_n_updates: int) -> None:
        super().__init__(folder, every_n_updates)
        self.trajectory: list[tuple[int, float, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the parameters before the first update of this session."""
        super().on_train_start(trainer, pl_module)
        assert isinstance(pl_module, GAN)
        self.trajectory = [record for record in self.trajectory if record[0] < pl_module.updates]
        self._record(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the parameters, and draw if due."""
        assert isinstance(pl_module, GAN)
        self._record(pl_module)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the portrait."""
        if isinstance(model, GAN) and self.trajectory and trainer.is_global_zero:
            trajectory = np.array(self.trajectory, np.float64)
            limit = MARGIN * _largest_coordinate(trajectory[:, 1:])
            picture = draw_portrait(trajectory, *vector_field(model, limit))
            save_picture(trainer, model, self.folder, "portrait", picture)

    def state_dict(self) -> dict[str, Any]:
        """Return the state that checkpoints keep."""
        trajectory = torch.tensor(self.trajectory, dtype=torch.float64).view(-1, 3)
        return {**super().state_dict(), "way": trajectory}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        super().load_state_dict(state_dict)
        records = state_dict["way"].tolist()
        self.trajectory = [(int(update), theta, psi) for update, theta, psi in records]

    def _record(self, gan: GAN) -> None:
        parameters = dirac_parameters(gan)
        if parameters is not None:
            self.trajectory.append((gan.updates, *parameters.values()))


def _largest_coordinate(points: Floats) -> float:
    """Return the largest finite absolute coordinate of points (N, 2), at least 1e-3."""
    finite = np.abs(points[np.isfinite(points)])
    return float(finite.max(initial=1e-3))


def draw_portrait(trajectory: Floats, points: Floats, vectors: Floats) -> Array:
    """Draw the trajectory over a vector field, and its distance from the equilibrium by update.

    Args:
        trajectory: (update, theta, psi) of every record, (N, 3).
        points: (theta, psi) at which the field is known, (M, 2).
        vectors: vectors of the field at these points, (M, 2); NaN for none.

    Returns:
        uint8 (H, W, 3).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.6), dpi=110, layout="constrained")
    plane, distance = figure.subplots(1, 2, width_ratios=(1, 1.1))
    _draw_plane(plane, trajectory[:, 1:], points, vectors)
    _draw_distance(distance, trajectory[:, 0], np.hypot(trajectory[:, 1], trajectory[:, 2]))
    figure.suptitle(f"The parameters of both players in {int(trajectory[-1, 0]):,} updates")
    return render_figure(figure)


def _draw_plane(axis: Any, trajectory: Floats, points: Floats, vectors: Floats) -> None:
    lengths = np.hypot(*vectors.T)
    # arrows have equal lengths, since these would differ by decades; the shade shows the length
    directions = vectors / np.where(lengths > 0, lengths, 1)[:, None]
    arrows = axis.quiver(
        *points.T,
        *directions.T,
        lengths,
        cmap="Greys",
        norm=_grey_scale(lengths),
        pivot="mid",
        scale=1.4 * GRID_SIZE,
        width=0.004,
    )
    arrows.set_zorder(1)
    axis.plot(*trajectory.T, color="#d1495b", linewidth=1.3, zorder=2, label="trajectory")
    axis.plot(*trajectory[0], "o", color="#33658a", markersize=9, zorder=4, label="start")
    axis.plot(*trajectory[-1], "s", color="#d1495b", markeredgecolor="black", zorder=5, label="end")
    axis.plot(0, 0, "+", color="black", markersize=14, markeredgewidth=2, zorder=3)
    axis.plot([], [], "+", color="black", markersize=9, markeredgewidth=2, label="equilibrium")
    limit = 1.05 * float(np.abs(points).max())
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.set(xlabel="θ: generated point", ylabel="ψ: slope of the discriminator")
    axis.set_title("negative gradients of both losses (darker: larger)", fontsize=10)
    # below the plane: inside, it would hide the trajectory of some run
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False)


def _grey_scale(lengths: Floats) -> Any:
    """Map lengths to greys that are never white."""
    from matplotlib.colors import Normalize

    largest = float(np.nanmax(lengths, initial=0.0)) or 1.0
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
