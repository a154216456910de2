"""Command `train`: train an experiment, or resume a run of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_lightning.cli.arguments import complete_runs, experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.image_options import ImageOptions, check_needs_images, images_options
from gan_lightning.cli.next_step import suggest
from gan_lightning.cli.prefetch import prefetch_digits
from gan_lightning.config.overrides import is_override
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.imports import fast_imports
from gan_lightning.utils.openmp import processor_time, sleep_at_barriers_if_busy

if TYPE_CHECKING:
    from gan_lightning.config.schema import RunConfig
    from gan_lightning.training.train import TrainingResult

__all__ = ["train"]


@click.command()
@experiment_argument
@images_options
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
    "--start-from",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Start a new run from the weights of RUN, of a .ckpt or of a generator.safetensors.",
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
    start_from: str | None,
    output: Path | None,
    runs: Path | None,
    allow_changes: bool,
    overrides: Sequence[str],
    **image_options: Any,
) -> None:
    """Train EXP, evaluate the final model, and print the metrics and the run directory.

    Exit code: 0, 2 for an error that you can fix, 3 where training diverged, or 128 + signal where
    a signal stopped the run.

    \b
    Examples:
      gan-lightning train gan_ring
      gan-lightning train dcgan --images my_photos --size 64
      gan-lightning train infogan_mnist --devices 2 --accelerator cpu trainer.max_updates=20
      gan-lightning train infogan_mnist --resume
    """
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.runs.directory import RUNS, RunDirectory

    start = processor_time()
    if resume is not None and is_override(resume):  # RUN may be left out after --resume
        overrides, resume = [resume, *overrides], ""
    options = ImageOptions(**image_options)
    options.check()
    if options.images is None:
        check_needs_images(experiment)
    flags = {
        "trainer.devices": devices,
        "trainer.nodes": nodes,
        "trainer.strategy": strategy,
        "trainer.accelerator": accelerator,
        "trainer.start_from": start_from,
        "seed": seed,
    }
    overrides = [
        *overrides,
        *(f"{key}={value}" for key, value in flags.items() if value is not None),
    ]
    if resume is not None and output is not None:
        raise UserError("--output and --resume exclude each other; a run stays in its directory")
    if start_from is not None and resume is not None:
        raise UserError("--start-from begins a new run, and --resume continues one; leave one out")
    if runs is not None and (resume is not None or output is not None):
        raise UserError("--runs is for new runs without --output; leave it out")
    if options.images is None:
        path = experiment_path(experiment)
        name, source = name_of_file(path), read_yaml(path)
    else:
        name = options.run_name(experiment)
        source = {} if resume is not None else options.source(experiment, overrides)
    folder = None
    if resume is not None:
        folder = RunDirectory.find(resume or name_of_runs(source, overrides, name))
        source, overrides = folder.raw_config(), [*overrides, *options.overrides(folder)]
    prefetch_digits(source, overrides)
    if is_first_process():  # it uses a core itself when the others start
        sleep_at_barriers_if_busy(start)
    with fast_imports():
        from gan_lightning.config.load import load_config
        from gan_lightning.config.titles import follow_data
        from gan_lightning.training.resume import check_unchanged
        from gan_lightning.training.train import train as run

    config = load_config(source, overrides)
    if folder is not None and not allow_changes and is_first_process():
        check_unchanged(folder, config)
    if folder is None:
        config, name = follow_data(config, source, overrides, name)
    outcome = run(config, name, output, folder, runs or RUNS)
    if is_first_process():
        print_outcome(outcome, config, options.words(experiment))
        # The other processes exit with 0: Lightning kills the first one where another one fails.
        if outcome.stop_signal is not None:
            sys.exit(128 + outcome.stop_signal)


def name_of_file(path: Path) -> str:
    """Return the name of the runs of a YAML file; the config of a run has the name of that run."""
    from gan_lightning.runs.directory import RUNS

    run = path.absolute().parent
    if path.name != "config.yaml" or not (run / "environment.json").exists():
        return path.stem
    return run.parent.name if run.parent.parent.name == RUNS.name else run.name


def name_of_runs(source: dict[str, Any], overrides: Sequence[str], name: str) -> str:
    """Return the name of the runs of an experiment with overrides, which may be of other data."""
    if not any(word.startswith("data.") for word in overrides):
        return name
    from gan_lightning.config.load import load_config
    from gan_lightning.config.titles import follow_data

    return follow_data(load_config(source, overrides), source, overrides, name)[1]


def print_outcome(outcome: TrainingResult, config: RunConfig, experiment: Sequence[str]) -> None:
    """Print the metrics of a run with its claims, its duration, its directory and W&B's address.

    Details without a claim are left to the report.
    """
    from gan_lightning.config.schema import as_plain
    from gan_lightning.diagnosis import diagnose, signals_of_run
    from gan_lightning.results.claims import no_verdict_reason, single_run_rows
    from gan_lightning.results.detail import is_detail

    finished, stopped_by = outcome.stop_signal is None, outcome.stopped_by
    no_verdict = no_verdict_reason(as_plain(config), finished=finished, stopped_by=stopped_by)
    rows = [] if no_verdict else single_run_rows(config.claims, outcome.measures)
    for name, value in outcome.measures.items():
        claims = "".join(
            f"   claim {row.verdict.text}" + (f" ({row.source})" if row.source else "")
            for row in rows
            if row.measure == name
        )
        if claims or not is_detail(name):
            click.echo(f"  {name:<26} {value:>9.4f}{claims}")
    if config.claims and no_verdict:
        click.echo(f"  claims {no_verdict}")
    minutes = outcome.seconds / 60
    click.echo(f"  {outcome.updates:,} updates; {minutes:.1f} minutes")
    if outcome.stopped_by is not None:
        click.echo(f"  stopped by {outcome.stopped_by}")
    if (found := diagnose(signals_of_run(outcome.run_directory))).about is not None:
        click.echo(f"  diagnosis: {found.verdict}")
    click.echo(f"  run    {outcome.run_directory.path}")
    click.echo(f"  W&B    {outcome.wandb_status}")
    if outcome.stop_signal is not None:
        words = ("gan-lightning", "train", *experiment, "--resume", outcome.run_directory.path)
        click.echo(f"stopped at update {outcome.updates:,}; resume it by `{command_line(*words)}`")
    else:
        suggest("report", outcome.run_directory.path)
