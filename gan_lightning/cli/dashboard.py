"""Command `dashboard`: lay out the runs of a project at Weights & Biases."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gan_lightning.cli.arguments import complete_runs
from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError
from gan_lightning.utils.optional import require

__all__ = ["dashboard"]


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@click.option(
    "--entity", envvar="WANDB_ENTITY", help="W&B user or team; by default that of the login."
)
@click.option(
    "--project",
    envvar="WANDB_PROJECT",
    default="gan-lightning",
    show_default=True,
    help="W&B project of the runs.",
)
@click.option("--lecture", is_flag=True, help="Save the report `The lecture, reproduced` too.")
@handle_errors
def dashboard(runs: Sequence[str], entity: str | None, project: str, lecture: bool) -> None:
    """Save a workspace for GANs at Weights & Biases, and a report about the lecture.

    With RUNs, the workspace pins them and the report shows only them; without, both show all runs
    of the project. Earlier versions of both are replaced. The server is that of WANDB_BASE_URL. It
    needs the extra `dashboard`.

    \b
    Examples:
      gan-lightning dashboard --entity my-team --project gan-lightning
      gan-lightning dashboard infogan_mnist gan_ring --lecture
    """
    require("dashboard")
    from gan_lightning.dashboard.server import check_login, wandb_api

    check_login()
    run_ids = [_wandb_id(run) for run in runs]
    with wandb_api(entity, project) as (api, owner):
        from gan_lightning.dashboard.workspace import save_workspace

        click.echo(f"workspace  {save_workspace(api, owner, project, run_ids)}")
        if lecture:
            from gan_lightning.dashboard.lecture_report import save_report

            click.echo(f"report     {save_report(api, owner, project, run_ids)}")


def _wandb_id(run: str) -> str:
    """Return the id of a run at W&B.

    Raises:
        UserError: there is no such run, or it was never started.
    """
    from gan_lightning.runs.directory import RunDirectory

    folder = RunDirectory.find(run)
    run_id = folder.run_id()
    if run_id is None:
        raise UserError(f"run {folder.path} has no id in its environment.json; train it again")
    return run_id
