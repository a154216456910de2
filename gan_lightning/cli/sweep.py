"""`sweep`: an experiment's settings are searched."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gan_lightning.cli.arguments import experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["sweep"]


@click.command()
@experiment_argument
@click.option("--count", type=int, help="Runs, at most; by default what the block says, or 10.")
@click.option("--agents", type=int, default=1, show_default=True, help="Of W&B, side by side.")
@click.option(
    "--seed",
    type=int,
    default=1000,
    show_default=True,
    help="Of the draws and of every run: far from the seeds that claims are reported on.",
)
@click.option("--entity", help="User or team of the sweep; by default that of the login.")
@click.option("--project", help="Of the sweep; by default the experiment's.")
@click.option("--local", is_flag=True, help="Stay here, although there is a login.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs/sweeps"),
    show_default=True,
    metavar="DIR",
    help="Where the sweep's runs are looked for, and made.",
)
@overrides_argument
@handle_errors
def sweep(
    experiment: str,
    count: int | None,
    agents: int,
    seed: int,
    entity: str | None,
    project: str | None,
    local: bool,
    runs: Path,
    overrides: Sequence[str],
) -> None:
    """Search what the `sweep:` block of EXP names, and rank what came out.

    With a W&B login, a sweep of W&B's and its agents; without, the same space here, one run after
    another, where a finished run of the same config is taken and an interrupted one gone on with.

    Exit code: 0, or 1 where no run has a measure, or 128 + signal where one ended the sweep.

    \b
    Examples:
      gan-lightning sweep infogan_mnist --count 8
      gan-lightning sweep minibatch_ring trainer.max_updates=2000 --local
      gan-lightning sweep infogan_mnist --agents 2 --entity my-team --project infogan
    """
    if agents < 1:
        raise UserError(f"--agents is {agents}; it must be at least 1")
    if seed < 0:
        raise UserError(f"--seed is {seed}; it must be at least 0")
    with gc_paused_imports():
        from gan_lightning.sweeps.request import Request
        from gan_lightning.sweeps.request import sweep as run

    request = Request(experiment, overrides, count, agents, seed, entity, project, local, runs)
    sys.exit(run(request, click.echo))
