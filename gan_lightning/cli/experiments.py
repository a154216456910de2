"""Commands `list` and `show`: list the experiments, and print the config of one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import click

from gan_lightning.cli.arguments import experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest_at_terminal
from gan_lightning.utils.imports import fast_imports

__all__ = ["list_experiments", "show"]

HEADER = ("experiment", "topic", "data", "min", "title")

UNLIMITED = 10_000
"""Columns where the output is no terminal."""


@click.command("list")
@click.option("--topic", help="List the experiments of a lecture topic, for example infogan.")
@click.option("--model", help="List the experiments of a GAN or classifier, for example wgan.")
@click.option("--data", help="List the experiments on a dataset, for example mnist.")
@handle_errors
def list_experiments(**wanted: str | None) -> None:
    """List the experiments with their lecture topic, data, minutes and title.

    The minutes are those of the results in docs/results, on the machine that is named there. A
    terminal shows as much of the titles as fits into a line; a pipe gets all of them.

    \b
    Examples:
      gan-lightning list
      gan-lightning list --topic mode-collapse
      gan-lightning list --model wgan_gp --data mnist
    """
    from gan_lightning.results.listing import chosen_experiments, listed_experiments
    from gan_lightning.utils.tables import text_table

    rows = [HEADER]
    experiments = chosen_experiments(listed_experiments(), wanted)
    for experiment in experiments:
        minutes = "-" if experiment.minutes is None else f"{max(experiment.minutes, 1):.0f}"
        names = (experiment.name, experiment.topic, experiment.data)
        rows.append((*names, minutes, experiment.title))
    width = shutil.get_terminal_size(fallback=(UNLIMITED, 24)).columns
    click.echo(text_table(rows, width))
    if experiments:
        measured = [experiment for experiment in experiments if experiment.minutes is not None]
        suggest_at_terminal("show", (measured or experiments)[0].name)


@click.command()
@experiment_argument
@overrides_argument
@handle_errors
def show(experiment: str, overrides: Sequence[str]) -> None:
    """Print the complete config of EXP as YAML, defaults and overrides included.

    The keys of your own classes are read from the source of their files, which are not imported.

    \b
    Example:
      gan-lightning show infogan_mnist model.continuous_codes=3
    """
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config, to_yaml

    with fast_imports():
        config = load_config(
            read_yaml(experiment_path(experiment)), list(overrides), import_own=False
        )
    click.echo(to_yaml(config), nl=False)
    suggest_at_terminal("train", experiment, *overrides)
