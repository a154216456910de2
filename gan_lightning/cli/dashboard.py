"""`dashboard`: what a project's runs look like at Weights & Biases."""

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
@click.option("--entity", help="User or team; by default that of the login.")
@click.option("--project", default="gan-lightning", show_default=True, help="Of the runs.")
@click.option("--lecture", is_flag=True, help="Write the report `The lecture, reproduced` too.")
@handle_errors
def dashboard(runs: Sequence[str], entity: str | None, project: str, lecture: bool) -> None:
    """Save a workspace for GANs at Weights & Biases, and a report on the lecture.

    The workspace pins the RUNs named, the report shows these alone; without any, all runs of the
    project. Both replace what was saved before. WANDB_BASE_URL is respected.

    \b
    Examples:
      gan-lightning dashboard --entity my-team --project gan-lightning
      gan-lightning dashboard infogan_mnist gan_ring --lecture
    """
    require("dashboard")
    from gan_lightning.dashboard.server import check_login, wandb_api

    check_login()
    identities = [_identity(run) for run in runs]
    with wandb_api(entity, project) as (api, owner):
        from gan_lightning.dashboard.workspace import save_workspace

        click.echo(f"workspace  {save_workspace(api, owner, project, identities)}")
        if lecture:
            from gan_lightning.dashboard.lecture_report import save_report

            click.echo(f"report     {save_report(api, owner, project, identities)}")


def _identity(run: str) -> str:
    """Find by what W&B knows a run.

    Raises:
        UserError: there is no such run, or it never began.
    """
    from gan_lightning.runs.directory import RunDirectory

    folder = RunDirectory.find(run)
    identity = folder.run_id()
    if identity is None:
        raise UserError(f"run {folder.path} has no id in its environment.json; train it anew")
    return identity
