"""Commands `verify` and `results`: check the claims of papers, and write the results pages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import inf
from pathlib import Path

import click
from click.core import ParameterSource

from gan_lightning.cli.arguments import (
    Duration,
    Seeds,
    optional_experiment_argument,
    overrides_argument,
)
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import fast_imports
from gan_lightning.utils.openmp import processor_time, sleep_at_barriers_if_busy

__all__ = ["results", "verify"]


OF_ALL = ("budget", "jobs", "allow_dirty")
"""Options that need --all."""

OF_BOTH = ("runs", "output", "every")
"""Options of an experiment and of --all."""


@click.command()
@optional_experiment_argument
@click.option(
    "--seeds",
    type=Seeds(),
    default="0,1,2",
    show_default=True,
    metavar="N,N,…",
    help="Seeds of the runs, separated by commas; 0-4 is a range.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    metavar="DIR",
    help="Parent of the run directories, where finished runs are found and new ones written.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the results; by default docs/results of the checkout.",
)
@click.option(
    "--name",
    help="Name of the results, by default EXP; required to write them where overrides change the "
    "result.",
)
@click.option(
    "--add",
    is_flag=True,
    help="Keep the seeds that DIR/NAME.json already has, if their config is the same.",
)
@click.option(
    "--until-decided",
    is_flag=True,
    help="Like --add, and add unused seeds until every claim holds or fails.",
)
@click.option(
    "--most",
    type=int,
    default=10,
    show_default=True,
    metavar="N",
    help="Seeds at which --until-decided stops.",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Add seeds to all experiments, the shortest first: up to 5 where a run takes under 15 "
    "minutes, else 3.",
)
@click.option(
    "--budget",
    type=Duration(),
    metavar="TIME",
    help="With --all: start no run that would end later, for example 90m or 10h.",
)
@click.option(
    "--jobs",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="With --all: runs that train at the same time, each with one thread where N > 1.",
)
@click.option(
    "--allow-dirty",
    is_flag=True,
    help="With --all: train with code that differs from its commit; such runs decide no claim.",
)
@overrides_argument
@handle_errors
def verify(
    experiment: str | None,
    seeds: Sequence[int],
    runs: Path,
    output: Path | None,
    name: str | None,
    add: bool,
    until_decided: bool,
    most: int,
    every: bool,
    budget: float | None,
    jobs: int,
    allow_dirty: bool,
    overrides: Sequence[str],
) -> None:
    """Train EXP on several seeds and judge the claims of its paper.

    A claim holds where a rerun with as many seeds agrees with it with a probability of at least
    .95, fails where that is at most .05, and is undecided in between or with one seed.

    A finished run of the same config and seed is reused; an interrupted one is resumed. The results
    are written to DIR/NAME.json, with the pictures of the first seed next to it; `gan-lightning
    results` writes pages from them.

    Exit code: 0 where no claim fails, 1 where a claim fails or, with --all, a run does, 2 for an
    error that you can fix, 128 + signal where a signal stopped a run.

    \b
    Examples:
      gan-lightning verify gan_ring
      gan-lightning verify gan_ring --seeds 0-4
      gan-lightning verify gan_ring --seeds 5,6 --add
      gan-lightning verify gan_ring --until-decided --most 12
      gan-lightning verify gan_ring trainer.max_updates=400000 --name gan_ring_long
      gan-lightning verify --all --budget 10h --jobs 2
    """
    start = processor_time()
    _check_options(experiment, every, overrides)
    if not every:  # each run of the queue is a process that measures for itself
        sleep_at_barriers_if_busy(start)
    with fast_imports():
        if every:
            from gan_lightning.verification.queue import QueueOptions, verify_all

            queue = QueueOptions(budget or inf, jobs, runs, output, allow_dirty)
            sys.exit(verify_all(queue, click.echo))
        from gan_lightning.verification.verify import VerifyOptions
        from gan_lightning.verification.verify import verify as run

    options = VerifyOptions(
        str(experiment), seeds, overrides, runs, output, name, add, until_decided, most
    )
    code = run(options, click.echo)
    if output is None and not code:
        suggest("results")
    sys.exit(code)


def _check_options(experiment: str | None, every: bool, overrides: Sequence[str]) -> None:
    """Check that the options belong to one experiment, or to all.

    Raises:
        UserError: they do not.
    """
    context = click.get_current_context()
    given = [
        parameter
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        and context.get_parameter_source(str(parameter.name)) == ParameterSource.COMMANDLINE
    ]
    if not every:
        if experiment is None:
            raise UserError("verify needs an experiment, for example gan_ring, or --all")
        wrong = [option for option in given if option.name in OF_ALL]
        if wrong:
            raise UserError(f"{wrong[0].opts[0]} needs --all, in the place of {experiment}")
        return
    other = [option.opts[0] for option in given if option.name not in (*OF_ALL, *OF_BOTH)]
    other = [*([experiment] if experiment else []), *other, *overrides]
    if other:
        raise UserError(f"--all has no {other[0]}; it verifies all experiments as they are")
    jobs = context.params["jobs"]
    if jobs < 1:
        raise UserError(f"--jobs is {jobs}; it must be at least 1")


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the JSON files and the pages, by default docs/results of the checkout; the "
    "index is DIR.md.",
)
@handle_errors
def results(folder: Path | None) -> None:
    """Write the results pages from the JSON files that `verify` wrote.

    The index is docs/results.md; each lecture topic has a page in docs/results. All claims are
    judged anew, so that a claim about two experiments uses the latest results of both. The file
    NAME.note.md next to NAME.json is appended to the section about NAME.

    \b
    Example:
      gan-lightning results --folder docs/results
    """
    with fast_imports():
        from gan_lightning.results.page import write_pages
        from gan_lightning.results.records import results_folder

    click.echo(write_pages(folder or results_folder()))
