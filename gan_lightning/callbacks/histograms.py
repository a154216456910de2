"""Histogram of the weights of a critic."""

from __future__ import annotations

import numpy as np
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, render_figure, save_picture
from gan_lightning.core.module import BaseModule
from gan_lightning.evaluation import discriminator_weights
from gan_lightning.gans import GAN

__all__ = ["WeightHistogram", "draw_histogram"]

BINS = 101


class WeightHistogram(ImageCallback):
    """Draw the histogram of the weights of the discriminator's linear and convolution layers.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
    """

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the histogram."""
        if isinstance(model, GAN) and trainer.is_global_zero:
            weights = discriminator_weights(model).float().cpu().numpy()
            if weights.size:
                picture = draw_histogram(weights, f"after {model.updates:,} updates")
                save_picture(trainer, model, self.folder, "weights", picture)


def draw_histogram(weights: np.ndarray[tuple[int], np.dtype[np.float32]], title: str) -> Array:
    """Draw a histogram of weights (N,), symmetric around 0, with a logarithmic frequency axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    axis = figure.subplots()
    finite = weights[np.isfinite(weights)]
    limit = float(np.abs(finite).max()) if finite.size else 1.0
    counts, edges = np.histogram(finite, BINS, (-limit, limit) if limit else None)
    axis.stairs(counts / max(1, finite.size), edges, fill=True, color="#33658a")
    axis.set_yscale("log" if finite.size else "linear")
    axis.set(xlabel="weight", ylabel="share of the weights", title=f"Critic's weights {title}")
    axis.locator_params(axis="x", nbins=6)
    axis.grid(axis="y", alpha=0.3)
    return render_figure(figure)
