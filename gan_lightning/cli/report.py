"""`report` and `compare`: what a person reads of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gan_lightning.cli.arguments import complete_runs
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.optional import require

__all__ = ["compare", "report"]


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1, required=True, shell_complete=complete_runs)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE.html",
    help="The report; one that is there is replaced.",
)
@handle_errors
def report(runs: Sequence[str], output: Path) -> None:
    """Make one HTML file of runs: curves, pictures, points, claims, configs.

    It needs no network and no login, so it can be sent to anybody. Runs that have not ended are
    shown as far as they are.

    \b
    Examples:
      gan-lightning report infogan_mnist
      gan-lightning report gan_ring unrolled_ring --output rings.html
    """
    require("report")
    from gan_lightning.report.page import write_report

    size = write_report(runs, output)
    click.echo(f"wrote {output}, {size / 1e6:.1f} MB; open it in a browser")


@click.command()
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True, shell_complete=complete_runs)
@handle_errors
def compare(runs: Sequence[str]) -> None:
    """Print runs side by side: measures, claims, and in what their configs differ.

    \b
    Examples:
      gan-lightning compare gan_ring unrolled_ring
      gan-lightning compare runs/gan_ring/2026-11-23_10-00-00 runs/gan_ring/2026-11-23_11-00-00
    """
    from gan_lightning.report.comparison import compare as side_by_side

    click.echo(side_by_side(runs))
