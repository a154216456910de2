"""Cheap stand-ins for what each run does, takes long, and few tests are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from lightning_fabric.utilities import registry
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gan_lightning.runs import environment

DRAW = FigureCanvasAgg.draw


def leave_figures_blank() -> None:
    """Let matplotlib make its figures, and skip to lay them out and to render them.

    A training draws one at least, which would take a third of the time of a tiny run.
    """
    FigureCanvasAgg.draw = FigureCanvasAgg.get_renderer  # type: ignore[method-assign]


@contextmanager
def figures_drawn() -> Iterator[None]:
    """Render figures inside the block, as in a run of a user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FigureCanvasAgg, "draw", DRAW)
        yield


def look_up_once() -> None:
    """Look up versions, the revision and plug-ins of Lightning once a process, not once a run."""
    for module, name in (
        (environment, "version"),
        (environment, "git_revision"),
        (registry, "entry_points"),
    ):
        setattr(module, name, cache(getattr(module, name)))
