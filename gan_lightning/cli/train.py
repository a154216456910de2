"""Command `train`: train an experiment, or resume a run of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gan_lightning.cli.arguments import complete_runs, experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.prefetch import prefetch_digits
from gan_lightning.config.overrides import is_override
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import gc_paused_imports

if TYPE_CHECKING:
    from gan_lightning.config.schema import RunConfig
    from gan_lightning.runs.directory import RunDirectory
    from gan_lightning.training.train import TrainingResult

__all__ = ["train"]


@click.command()
@experiment_argument
@click.option(
    "--devices",
    type=int,
    help="Processes per node, each with its own device; data.batch_size is the sum over all.",
)
@click.option("--nodes", type=int, help="Number of machines; each runs this same command.")
@click.option("--strategy", hidden=True)  # refused with an explanation
@click.option("--accelerator", help="Kind of device: auto, cpu, gpu, cuda or mps.")
@click.option(
    "--seed", type=int, help="Seed of initial weights, order of the data and all random draws."
)
@click.option(
    "--resume",
    metavar="[RUN]",
    is_flag=False,
    flag_value="",
    shell_complete=complete_runs,
    help="Resume a run, by default the latest of EXP, from its latest checkpoint.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run directory; by default runs/EXP/<time>.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Parent of all run directories, by default runs; the run is written to DIR/EXP/<time>.",
)
@click.option(
    "--allow-changes",
    is_flag=True,
    help="Allow --resume with other config values than those that the run was started with.",
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
    """Train EXP, evaluate the final model, and print the metrics and the run directory.

    Exit code: 0, 2 for an error that you can fix, 3 where training diverged, or 128 + signal where
    a signal stopped the run.

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
    overrides = [
        *overrides,
        *(f"{key}={value}" for key, value in flags.items() if value is not None),
    ]
    if resume is not None and output is not None:
        raise UserError("--output and --resume exclude each other; a run stays in its directory")
    if runs is not None and (resume is not None or output is not None):
        raise UserError("--runs is for new runs without --output; leave it out")
    folder = None if resume is None else RunDirectory.find(resume or path.stem)
    source = read_yaml(path) if folder is None else folder.raw_config()
    prefetch_digits(source, overrides)
    with gc_paused_imports():
        from gan_lightning.config.load import load_config
        from gan_lightning.training.train import train as run

    config = load_config(source, overrides)
    if folder is not None and not allow_changes and is_first_process():
        _check_unchanged(folder, config)
    outcome = run(config, path.stem, output, folder, runs or RUNS)
    if is_first_process():
        print_outcome(outcome, config, experiment)
        # The other processes exit with 0: Lightning kills the first one where another one fails.
        if outcome.stop_signal is not None:
            sys.exit(128 + outcome.stop_signal)


def _check_unchanged(folder: RunDirectory, config: RunConfig) -> None:
    """Check that a run is resumed with the config values that it was started with.

    Raises:
        UserError: values that affect the result differ; the message lists them.
    """
    from gan_lightning.config.fingerprint import changed_values

    if changed := changed_values(folder.config(), config):
        raise UserError(
            f"run {folder.path} was started with other values: {', '.join(changed)}; "
            f"add --allow-changes to resume it with the new ones, or train a new run"
        )


def print_outcome(outcome: TrainingResult, config: RunConfig, experiment: str) -> None:
    """Print the metrics of a run with its claims, its duration, its directory and W&B's address."""
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
    click.echo(f"  W&B    {outcome.wandb_status}")
    if outcome.stop_signal is not None:
        click.echo(
            f"stopped at update {outcome.updates:,}; resume it by "
            f"`gan-lightning train {experiment} --resume {outcome.run_directory.path}`"
        )
