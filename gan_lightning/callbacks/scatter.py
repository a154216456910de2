"""A scatter plot of generated points over real points."""

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
    """Draws generated points over real ones.

    The points are kept beside each picture, `points_UPDATES.npy` and once `points_real.npy`,
    float32 (N, 2); a row is made of the same latent throughout the run.

    Args:
        folder: for the PNG files and the points.
        every: updates between two pictures.
        real: points (N, 2).
    """

    def __init__(self, folder: Path, every: int, real: Tensor) -> None:
        super().__init__(folder, every)
        self.real = real[:SCATTER_POINTS]

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the plot."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            seed = derived_seed(learner.seed, "scatter")
            points = learner.sample(SCATTER_POINTS, seed=seed).data.cpu()
            save_points(self.folder, "real", self.real.numpy())
            save_points(self.folder, f"{learner.updates:07d}", points.numpy())
            picture = draw_scatter(self.real, points, f"after {learner.updates:,} updates")
            save_picture(trainer, learner, self.folder, "scatter", picture)


def draw_scatter(real: Tensor, generated: Tensor, title: str) -> Array:
    """Draw generated points (M, 2) over real ones (N, 2), the axes fixed by the real ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axis = figure.subplots()
    for points, colour, label in ((real, "#b0b0b0", "real"), (generated, "#d1495b", "generated")):
        x, y = points.numpy().T
        axis.scatter(x, y, s=4, color=colour, alpha=0.6, label=label, linewidths=0)
    reach = 1.25 * real.abs().max().item()
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=title)
    figure.legend(loc="outside lower center", ncols=2, markerscale=3, frameon=False)
    return render_figure(figure)
