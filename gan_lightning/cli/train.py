"""`train`: an experiment becomes a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_lightning.cli.arguments import complete_runs, experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.prefetch import read_ahead
from gan_lightning.config.overrides import is_override
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import gc_paused_imports

if TYPE_CHECKING:
    from gan_lightning.config.schema import RunConfig
    from gan_lightning.runs.directory import RunDirectory

__all__ = ["train"]


@click.command()
@experiment_argument
@click.option(
    "--devices",
    type=int,
    help="Processes a node, each with its own device; data.batch_size is of all together.",
)
@click.option("--nodes", type=int, help="Machines; each runs this same command.")
@click.option("--strategy", hidden=True)  # is refused, with the reason
@click.option("--accelerator", help="auto, cpu, gpu, cuda or mps.")
@click.option("--seed", type=int, help="Of weights, order of the data and all random draws.")
@click.option(
    "--resume",
    metavar="[RUN]",
    is_flag=False,
    flag_value="",
    shell_complete=complete_runs,
    help="Go on with a run, by default the latest of EXP, from its latest checkpoint.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the run; by default runs/EXP/<time>.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of all runs, by default runs; the run's is DIR/EXP/<time>.",
)
@click.option(
    "--allow-changes",
    is_flag=True,
    help="Let --resume go on with other values than the run was begun with.",
)
@overrides_argument
@handle_errors
def train(
    experiment: str,
    devices: int | None,
    nodes: int | None,
    strategy: str | None,
    accelerator: str | None,
    seed: int | None,
    resume: str | None,
    output: Path | None,
    runs: Path | None,
    allow_changes: bool,
    overrides: Sequence[str],
) -> None:
    """Train EXP, evaluate it, and say where everything is.

    \b
    Examples:
      gan-lightning train gan_ring
      gan-lightning train infogan_mnist --devices 2 --accelerator cpu trainer.max_updates=20
      gan-lightning train infogan_mnist --resume
    """
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.runs.directory import RUNS, RunDirectory

    if resume is not None and is_override(resume):  # RUN may be left out after --resume
        overrides, resume = [resume, *overrides], ""
    path = experiment_path(experiment)
    flags = {
        "trainer.devices": devices,
        "trainer.nodes": nodes,
        "trainer.strategy": strategy,
        "trainer.accelerator": accelerator,
        "seed": seed,
    }
    given = [f"{key}={value}" for key, value in flags.items() if value is not None]
    changes = [*overrides, *given]
    if resume is not None and output is not None:
        raise UserError("--output and --resume exclude each other: a run stays in its folder")
    if runs is not None and (resume is not None or output is not None):
        raise UserError("--runs is for new runs that choose their folder; leave it out")
    folder = None if resume is None else RunDirectory.find(resume or path.stem)
    source = read_yaml(path) if folder is None else folder.raw_config()
    read_ahead(source, changes)
    with gc_paused_imports():
        from gan_lightning.config.load import load_config
        from gan_lightning.training.train import train as run

    config = load_config(source, changes)
    if folder is not None and not allow_changes and is_first_process():
        _refuse_changes(folder, config)
    outcome = run(config, path.stem, output, folder, runs or RUNS)
    if is_first_process():
        report(outcome, config, experiment)
        # the first process alone: Lightning kills it where another ends with an error
        if outcome.stop_signal is not None:
            sys.exit(128 + outcome.stop_signal)


def _refuse_changes(folder: RunDirectory, config: RunConfig) -> None:
    """Refuse to go on with a run as if it were another.

    Raises:
        UserError: values differ that decide its result; the message shows them.
    """
    from gan_lightning.config.fingerprint import differences

    if changed := differences(folder.config(), config):
        raise UserError(
            f"run {folder.path} was begun with other values: {', '.join(changed)}; "
            f"add --allow-changes to go on with the new ones, or train a new run"
        )


def report(outcome: Any, config: Any, experiment: str) -> None:
    """Print what a run measured, its claims, and where everything is."""
    from gan_lightning.results.claims import single_run_rows

    rows = single_run_rows(config.claims, outcome.measures)
    for name, value in outcome.measures.items():
        claims = "".join(
            f"   claim {row.verdict.text}" + (f" ({row.source})" if row.source else "")
            for row in rows
            if row.measure == name
        )
        click.echo(f"  {name:<26} {value:>9.4f}{claims}")
    minutes = outcome.seconds / 60
    click.echo(f"  {outcome.updates:,} updates; {minutes:.1f} minutes")
    click.echo(f"  run    {outcome.run_directory.path}")
    click.echo(f"  W&B    {outcome.wandb}")
    if outcome.interrupted is not None:
        click.echo(
            f"stopped at update {outcome.updates:,}; go on by "
            f"`gan-lightning train {experiment} --resume {outcome.run_directory.path}`"
        )
