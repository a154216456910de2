"""Commands `verify` and `results`: check the claims of papers, and write the results pages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gan_lightning.cli.arguments import Seeds, experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["results", "verify"]


@click.command()
@experiment_argument
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
@overrides_argument
@handle_errors
def verify(
    experiment: str,
    seeds: Sequence[int],
    runs: Path,
    output: Path | None,
    name: str | None,
    add: bool,
    overrides: Sequence[str],
) -> None:
    """Train EXP on several seeds and check the claims of its paper.

    A finished run of the same config and seed is reused; an interrupted one is resumed. The results
    are written to DIR/NAME.json, with the pictures of the first seed next to it; `gan-lightning
    results` writes pages from them.

    Exit code: 0 where every claim holds or has nothing to compare with, 1 where a claim does not
    hold, 2 for an error that you can fix, 128 + signal where a signal stopped a run.

    \b
    Examples:
      gan-lightning verify gan_ring
      gan-lightning verify gan_ring --seeds 0-4
      gan-lightning verify gan_ring --seeds 5,6 --add
      gan-lightning verify gan_ring trainer.max_updates=400000 --name gan_ring_long
    """
    with gc_paused_imports():
        from gan_lightning.verification.verify import VerifyOptions
        from gan_lightning.verification.verify import verify as run

    options = VerifyOptions(experiment, seeds, overrides, runs, output, name, add)
    sys.exit(run(options, click.echo))


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
    evaluated anew, so that a claim about two experiments uses the latest results of both. The file
    NAME.note.md next to NAME.json is appended to the section about NAME.

    \b
    Example:
      gan-lightning results --folder docs/results
    """
    from gan_lightning.results.page import write_pages
    from gan_lightning.results.records import results_folder

    click.echo(write_pages(folder or results_folder()))
