"""Scatter plots of generated 2-D points during training, for runs that saved their points."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gan_lightning.report.charts import LEGEND, run_colour, to_plain_dict
from gan_lightning.report.image_sliders import evenly_spaced
from gan_lightning.report.run_data import RunSummary

__all__ = ["NUM_POINTS", "PointSlider", "point_slider"]

MAX_FRAMES = 40
NUM_POINTS = 1000
AXIS_MARGIN = 1.25
"""Ratio of the axes' limit to the largest coordinate of the real points."""

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class PointSlider:
    """Generated points over real points, one chart per run, for a slider over updates.

    Attributes:
        charts: index of the run -> plotly figure of the real and the last generated points.
        frames: index of the run -> update -> coordinates of the generated points as plotly.js
            reads them.
    """

    charts: dict[int, dict[str, Any]]
    frames: dict[int, dict[int, dict[str, Any]]]

    @property
    def updates(self) -> list[int]:
        """Updates at which any run has points."""
        return sorted({update for frames in self.frames.values() for update in frames})


def point_slider(runs: Sequence[RunSummary]) -> PointSlider | None:
    """Read the saved points of runs; None where no run saved points."""
    slider = PointSlider({}, {})
    for index, run in enumerate(runs):
        files = evenly_spaced(run.folder.points(), MAX_FRAMES)
        frames = {
            update: points for update, path in files if (points := _read_points(path)) is not None
        }
        real = _read_points(run.folder.samples / "points_real.npy")
        if real is not None and frames:
            slider.frames[index] = {
                update: _encode_coordinates(points) for update, points in frames.items()
            }
            slider.charts[index] = _scatter(real, list(frames.values())[-1], index)
    return slider if slider.charts else None


def _read_points(path: Path) -> Floats | None:
    """Read the first points of a file with an array (N, 2); None for a file that is damaged."""
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if not isinstance(points, np.ndarray) or points.ndim != 2 or points.shape[1] != 2:
        return None
    return points[:NUM_POINTS].astype(np.float32)


def _encode_coordinates(points: Floats) -> dict[str, Any]:
    """Encode points (N, 2) as the typed arrays that plotly.js reads fastest."""
    return {
        axis: {"dtype": "f4", "bdata": base64.b64encode(values.tobytes()).decode()}
        for axis, values in zip("xy", points.T, strict=True)
    }


def _scatter(real: Floats, generated: Floats, index: int) -> dict[str, Any]:
    """Plot generated points over real points, with the axes' limits set by the real points."""
    limit = round(AXIS_MARGIN * float(np.abs(real).max()), 3)
    axis = {"range": [-limit, limit], "zeroline": False, "automargin": True}
    parts = (("real", "#868e96", real, 0.45), ("generated", run_colour(index), generated, 0.75))
    figure = go.Figure(
        [
            go.Scatter(
                **_encode_coordinates(points),
                mode="markers",
                name=name,
                hoverinfo="skip",
                marker={"size": 4, "color": colour, "opacity": opacity},
            )
            for name, colour, points, opacity in parts
        ]
    )
    figure.update_layout(
        legend={**LEGEND, "itemsizing": "constant"},
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={**axis, "constrain": "domain"},
        yaxis={**axis, "scaleanchor": "x", "constrain": "domain"},
    )
    return to_plain_dict(figure)
