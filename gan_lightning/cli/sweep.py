"""Command `sweep`: search the hyperparameters of an experiment."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gan_lightning.cli.arguments import experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import fast_imports
from gan_lightning.utils.openmp import processor_time, sleep_at_barriers_if_busy

__all__ = ["sweep"]


@click.command()
@experiment_argument
@click.option(
    "--count",
    type=int,
    help="Largest number of runs; by default that of the `sweep:` block, or 10.",
)
@click.option(
    "--agents",
    type=int,
    default=1,
    show_default=True,
    help="Number of W&B agents that train at the same time.",
)
@click.option(
    "--seed",
    type=int,
    default=1000,
    show_default=True,
    help="Seed of the search and of each run; claims are reported on other seeds.",
)
@click.option("--entity", help="W&B user or team; by default that of the login.")
@click.option("--project", help="W&B project; by default that of the experiment.")
@click.option("--local", is_flag=True, help="Search on this machine, even with a W&B login.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs/sweeps"),
    show_default=True,
    metavar="DIR",
    help="Parent of the run directories of the sweep.",
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
    """Search the hyperparameters in the `sweep:` block of EXP, and rank the runs.

    With a W&B login, W&B chooses the values and its agents train. Without one, or with --local,
    Optuna chooses them (the extra `sweep`) and the runs are trained one after
    another; finished runs of the same config are reused, and interrupted ones resumed.

    Exit code: 0, or 1 where no run has the metric, or 128 + signal where a signal ended the sweep.

    \b
    Examples:
      gan-lightning sweep infogan_mnist --count 8
      gan-lightning sweep minibatch_ring trainer.max_updates=2000 --local
      gan-lightning sweep infogan_mnist --agents 2 --entity my-team --project infogan
    """
    start = processor_time()
    if agents < 1:
        raise UserError(f"--agents is {agents}; it must be at least 1")
    if seed < 0:
        raise UserError(f"--seed is {seed}; it must be at least 0")
    sleep_at_barriers_if_busy(start)
    with fast_imports():
        from gan_lightning.sweeps.sweep import SweepOptions
        from gan_lightning.sweeps.sweep import sweep as run

    options = SweepOptions(experiment, overrides, count, agents, seed, entity, project, local, runs)
    sys.exit(run(options, click.echo))
