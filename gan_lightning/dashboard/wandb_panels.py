"""Conversion of panels to W&B's panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_lightning.runs.directory import UPDATES_KEY

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2.interface import PanelTypes

    from gan_lightning.dashboard.panels import Panel

__all__ = ["to_wandb_panel"]

FULL_WIDTH = 24
"""Columns of the grid of a report."""


def to_wandb_panel(panel: Panel) -> PanelTypes:
    """Convert a panel: a line plot over generator updates, a media browser, or a table."""
    from wandb_workspaces.reports.v2 import interface as wr

    if panel.table:
        return wr.WeavePanelSummaryTable(
            table_name=panel.table, layout=wr.Layout(w=FULL_WIDTH, h=8)
        )
    if panel.pictures:
        layout = wr.Layout(w=FULL_WIDTH, h=12)
        return wr.MediaBrowser(title=panel.title, media_keys=list(panel.pictures), layout=layout)
    return wr.LinePlot(
        title=panel.title,
        x=UPDATES_KEY,
        y=[] if panel.pattern else list(panel.keys),
        metric_regex=panel.pattern or None,
        title_x="generator updates",
        log_y=panel.log_y or None,
    )
