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


def axis_limit(points: Tensor) -> float:
    """Return the end of both axes on which points (N, 2) lie."""
    return 1.25 * points.abs().max().item() if len(points) else 1.0


def draw_scatter(real: Tensor, generated: Tensor, title: str) -> Array:
    """Draw generated points (M, 2) over real points (N, 2); the real points determine the axes.

    Without real points, of a model whose data are not known, the generated ones do.

    Generated points outside the axes are crosses at the border, and the legend counts them; it
    counts points that are not finite too.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axis = figure.subplots()
    finite = generated[generated.isfinite().all(1)].float()
    limit = axis_limit(real if len(real) else finite)
    outside = (finite.abs() > limit).any(1)
    dots = [(finite[~outside], "#d1495b", "generated")]
    if len(real):
        dots.insert(0, (real, "#b0b0b0", "real"))
    for points, colour, label in dots:
        x, y = points.numpy().T
        axis.scatter(x, y, s=4, color=colour, alpha=0.6, label=label, linewidths=0)
    if outside.any():
        x, y = finite[outside].clamp(-limit, limit).numpy().T
        label = f"{len(x):,} of {len(generated):,} outside"
        crosses = axis.scatter(x, y, s=14, color="#7b1e2b", marker="x", label=label, zorder=3)
        crosses.set(linewidth=0.8, clip_on=False)
    if len(finite) < len(generated):
        axis.scatter([], [], s=0, label=f"{len(generated) - len(finite):,} not finite")
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=title)
    figure.legend(loc="outside lower center", ncols=2, markerscale=3, frameon=False)
    return render_figure(figure)
