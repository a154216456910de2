"""Pictures of the game: its spectrum through training, and its field along a path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from gan_lightning.callbacks.figures import Array, render_figure
from gan_lightning.game import PathAngle

__all__ = ["SpectrumRecord", "draw_game"]

SpectrumRecord = tuple[int, Tensor]
"""An update, and real and imaginary parts of the eigenvalues there, (K, 2)."""

FAINT = 0.35
LINEAR_BELOW = 0.1
"""Parts of eigenvalues around 0 whose scale is linear, so that both signs are seen."""


def draw_game(spectra: Sequence[SpectrumRecord], path: PathAngle | None) -> Array:
    """Draw the eigenvalues of all measurements, and the field along the latest path.

    Args:
        spectra: eigenvalues of the dynamics by update; may be empty.
        path: the field along a path; None where it is not measured.

    Returns:
        uint8 (H, W, 3).
    """
    from matplotlib.figure import Figure

    panels = int(bool(spectra)) + (path is not None)
    figure = Figure(figsize=(5.6 * panels, 4.6), dpi=110, layout="constrained")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    if spectra:
        _draw_spectra(figure, axes.pop(0), spectra)
    if path is not None:
        _draw_path(axes.pop(0), path)
    return render_figure(figure)


def _draw_spectra(figure: Any, axis: Any, spectra: Sequence[SpectrumRecord]) -> None:
    updates = np.concatenate([np.full(len(values), update) for update, values in spectra])
    parts = np.concatenate([values.double().numpy() for _, values in spectra])
    finite = np.isfinite(parts).all(1)
    latest = updates == updates.max(initial=0)
    for chosen, size, alpha in ((~latest, 16, FAINT), (latest, 42, 1.0)):
        points = axis.scatter(
            *parts[finite & chosen].T,
            s=size,
            c=updates[finite & chosen],
            cmap="viridis_r",
            vmin=0,
            vmax=max(1, updates.max(initial=0)),
            alpha=alpha,
            edgecolor="black",
            linewidth=0.4,
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.axhline(0, color="black", linewidth=0.8)
    for set_scale in (axis.set_xscale, axis.set_yscale):
        set_scale("symlog", linthresh=LINEAR_BELOW)  # eigenvalues differ by decades
    for ticks, limit in ((axis.xaxis, 0), (axis.yaxis, 1)):
        ticks.get_major_locator().set_params(numticks=7)
        extent = 2 * float(np.abs(parts[finite][:, limit]).max(initial=1.0))
        (axis.set_xlim, axis.set_ylim)[limit](-extent, extent)
    axis.set(xlabel="real part: below 0 the game is attracted", ylabel="imaginary part: rotation")
    axis.set_title("Eigenvalues of the game's dynamics (large: latest)", fontsize=10)
    axis.grid(alpha=0.3)
    figure.colorbar(points, ax=axis, label="generator updates")


def _draw_path(axis: Any, path: PathAngle) -> None:
    axis.axvline(1, color="black", linewidth=0.8)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.plot(path.positions, path.cosines, "o-", color="#33658a", label="cosine with the path")
    axis.set(
        xlabel="position: 0 initial weights, 1 present ones",
    )
    extent = max(0.1, 1.2 * float(np.abs(path.cosines).max()))
    axis.set_ylim(-extent, extent)
    axis.set_ylabel("cosine of field and path", color="#33658a")
    norms = axis.twinx()
    norms.plot(path.positions, path.norms, "s--", color="#d1495b", label="norm of the field")
    norms.set_ylabel("norm of the field", color="#d1495b")
    norms.set_yscale("log")
    axis.set_title("The field along the path from the initial weights", fontsize=10)
    axis.grid(alpha=0.3)
