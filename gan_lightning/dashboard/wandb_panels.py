"""Panels of the table as W&B draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_lightning.runs.directory import STEP

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2.interface import PanelTypes

    from gan_lightning.dashboard.panels import Panel

__all__ = ["drawn"]

WIDE = 24
"""Columns of a report's grid."""


def drawn(panel: Panel) -> PanelTypes:
    """Make W&B's panel: figures over generator updates, or pictures with a slider, or a table."""
    from wandb_workspaces.reports.v2 import interface as wr

    if panel.table:
        return wr.WeavePanelSummaryTable(table_name=panel.table, layout=wr.Layout(w=WIDE, h=8))
    if panel.pictures:
        layout = wr.Layout(w=WIDE, h=12)
        return wr.MediaBrowser(title=panel.title, media_keys=list(panel.pictures), layout=layout)
    return wr.LinePlot(
        title=panel.title,
        x=STEP,
        y=[] if panel.pattern else list(panel.keys),
        metric_regex=panel.pattern or None,
        title_x="generator updates",
        log_y=panel.log_y or None,
    )
