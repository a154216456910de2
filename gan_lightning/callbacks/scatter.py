"""Scatter plot of generated points over real points."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Trainer
from torch import Tensor

from gan_lightning.callbacks.figures import (
    Array,
    ImageCallback,
    render_figure,
    save_picture,
    save_points,
)
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN

__all__ = ["Scatter", "draw_scatter"]

SCATTER_POINTS = 2500


class Scatter(ImageCallback):
    """Draw generated points over real points, and save the points.

    The points are saved as `points_UPDATE.npy` and `points_real.npy`, float32 (N, 2). A row has the
    same latent in all files of a run.

    Args:
        folder: folder of the PNG and .npy files.
        every_n_updates: updates between two pictures.
        real: real points (N, 2); the first 2,500 are drawn.
    """

    def __init__(self, folder: Path, every_n_updates: int, real: Tensor) -> None:
        super().__init__(folder, every_n_updates)
        self.real = real[:SCATTER_POINTS]

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the plot."""
        if isinstance(model, GAN) and trainer.is_global_zero:
            seed = derived_seed(model.seed, "scatter")
            points = model.sample(SCATTER_POINTS, seed=seed).data.cpu()
            save_points(self.folder, "real", self.real.numpy())
            save_points(self.folder, f"{model.updates:07d}", points.numpy())
            picture = draw_scatter(self.real, points, f"after {model.updates:,} updates")
            save_picture(trainer, model, self.folder, "scatter", picture)


def draw_scatter(real: Tensor, generated: Tensor, title: str) -> Array:
    """Draw generated points (M, 2) over real points (N, 2); the real points determine the axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axis = figure.subplots()
    for points, colour, label in ((real, "#b0b0b0", "real"), (generated, "#d1495b", "generated")):
        x, y = points.numpy().T
        axis.scatter(x, y, s=4, color=colour, alpha=0.6, label=label, linewidths=0)
    limit = 1.25 * real.abs().max().item()
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=title)
    figure.legend(loc="outside lower center", ncols=2, markerscale=3, frameon=False)
    return render_figure(figure)
