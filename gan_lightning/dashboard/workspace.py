"""Saved W&B workspace with all panels over the runs of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gan_lightning.dashboard.panels import SECTIONS
from gan_lightning.dashboard.wandb_panels import to_wandb_panel
from gan_lightning.runs.directory import UPDATES_KEY

if TYPE_CHECKING:
    import wandb
    import wandb_workspaces.workspaces as ws

__all__ = ["save_workspace", "workspace"]

NAME = "gan-lightning"
VIEW = "ganlightning"
"""Name of the view in its address; saving again replaces the view of this name."""

COLUMNS = ("config:title", "config:seed", "summary:updates", "summary:fd_digits")
"""Pinned columns of the table of runs."""


def workspace(entity: str, project: str, runs: Sequence[str] = ()) -> ws.Workspace:
    """Build the workspace.

    Args:
        entity: user or team.
        project: project of the runs.
        runs: ids of the runs that are pinned above all others, at most 20.
    """
    import wandb_workspaces.workspaces as ws

    sections = [
        ws.Section(
            name=section.name,
            panels=[to_wandb_panel(panel) for panel in section.panels],
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
        settings=ws.WorkspaceSettings(x_axis=UPDATES_KEY),
        runset_settings=ws.RunsetSettings(pinned_columns=list(COLUMNS), pinned_runs=list(runs)),
    )


def save_workspace(api: wandb.Api, entity: str, project: str, runs: Sequence[str] = ()) -> str:
    """Save the workspace, replacing the previous one, and return its address.

    Args:
        api: W&B client with a login.
        entity: user or team.
        project: project of the runs.
        runs: ids of the runs that are pinned above all others, at most 20.
    """
    from wandb_workspaces.workspaces import internal

    view = workspace(entity, project, runs)
    view._internal_name = f"nw-{VIEW}-v"
    try:
        view._internal_id = internal.get_view_dict(entity, project, VIEW)["id"]
    except ValueError:  # no such project, or no such view in it
        api.create_project(project, entity)
    return str(view.save().url)  # type: ignore[no-untyped-call]  # wandb_workspaces lacks types
