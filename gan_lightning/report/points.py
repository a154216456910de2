"""Points of 2-D worlds as they moved in training, where runs have kept them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gan_lightning.report.charts import colour, plain
from gan_lightning.report.image_sliders import spread_evenly
from gan_lightning.report.run_data import RunSummary

__all__ = ["PointFilm", "point_film"]

MOST_FRAMES = 40
POINTS = 1000
MARGIN = 1.25

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class PointFilm:
    """Generated points over real ones, of several runs, one chart each.

    Args:
        charts: plotly figures by the place of the run: real points, and the last generated ones.
        frames: by the place of the run: update -> generated points, as plotly's script takes them.
    """

    charts: dict[int, dict[str, Any]]
    frames: dict[int, dict[int, dict[str, Any]]]

    @property
    def updates(self) -> list[int]:
        """Updates at which any run has points."""
        return sorted({update for frames in self.frames.values() for update in frames})


def point_film(runs: Sequence[RunSummary]) -> PointFilm | None:
    """Take the points of the runs that kept theirs; None where none did."""
    film = PointFilm({}, {})
    for place, run in enumerate(runs):
        kept = spread_evenly(run.folder.points(), MOST_FRAMES)
        frames = {update: found for update, path in kept if (found := _points(path)) is not None}
        real = _points(run.folder.samples / "points_real.npy")
        if real is not None and frames:
            film.frames[place] = {update: _typed(points) for update, points in frames.items()}
            film.charts[place] = _scatter(real, list(frames.values())[-1], place)
    return film if film.charts else None


def _points(path: Path) -> Floats | None:
    """Read the first points of a file (N, 2); None for one that cannot be read."""
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if not isinstance(points, np.ndarray) or points.ndim != 2 or points.shape[1] != 2:
        return None
    return points[:POINTS].astype(np.float32)


def _typed(points: Floats) -> dict[str, Any]:
    """Write coordinates as plotly's script reads them fastest."""
    return {
        axis: {"dtype": "f4", "bdata": base64.b64encode(values.tobytes()).decode()}
        for axis, values in zip("xy", points.T, strict=True)
    }


def _scatter(real: Floats, generated: Floats, place: int) -> dict[str, Any]:
    """Draw generated points over real ones, the axes fixed by the real ones."""
    reach = round(MARGIN * float(np.abs(real).max()), 3)
    axis = {"range": [-reach, reach], "zeroline": False, "automargin": True}
    parts = (("real", "#868e96", real, 0.45), ("generated", colour(place), generated, 0.75))
    figure = go.Figure(
        [
            go.Scatter(
                **_typed(points),
                mode="markers",
                name=name,
                hoverinfo="skip",
                marker={"size": 4, "color": shade, "opacity": opacity},
            )
            for name, shade, points, opacity in parts
        ]
    )
    figure.update_layout(
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.0,
            "x": 0,
            "itemsizing": "constant",
        },
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={**axis, "constrain": "domain"},
        yaxis={**axis, "scaleanchor": "x", "constrain": "domain"},
    )
    return plain(figure)
