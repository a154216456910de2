"""The saved workspace: every panel of the table, over a project's runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gan_lightning.dashboard.panels import SECTIONS
from gan_lightning.dashboard.wandb_panels import drawn
from gan_lightning.runs.directory import STEP

if TYPE_CHECKING:
    import wandb
    import wandb_workspaces.workspaces as ws

__all__ = ["save_workspace", "workspace"]

NAME = "gan-lightning"
VIEW = "ganlightning"
"""The view's part of the address; a project has one of that name, however often it is saved."""
COLUMNS = ("config:title", "config:seed", "summary:updates", "summary:fd_digits")
"""Of the table of runs, besides their names."""


def workspace(entity: str, project: str, runs: Sequence[str] = ()) -> ws.Workspace:
    """Make the workspace, with nothing but the panels of the table.

    Args:
        entity: user or team.
        project: whose runs it shows.
        runs: ids of runs that are pinned above all others, 20 at most.
    """
    import wandb_workspaces.workspaces as ws

    sections = [
        ws.Section(
            name=section.name,
            panels=[drawn(panel) for panel in section.panels],
            is_open=True,
            layout_settings=ws.SectionLayoutSettings(columns=section.columns),
        )
        for section in SECTIONS
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis=STEP),
        runset_settings=ws.RunsetSettings(pinned_columns=list(COLUMNS), pinned_runs=list(runs)),
    )


def save_workspace(api: wandb.Api, entity: str, project: str, runs: Sequence[str] = ()) -> str:
    """Save the workspace, in place of that which was saved before; return its address."""
    from wandb_workspaces.workspaces import internal

    made = workspace(entity, project, runs)
    made._internal_name = f"nw-{VIEW}-v"
    try:
        made._internal_id = internal.get_view_dict(entity, project, VIEW)["id"]
    except ValueError:  # no such project, or no such view in it
        api.create_project(project, entity)
    return str(made.save().url)  # type: ignore[no-untyped-call]  # the client's own
