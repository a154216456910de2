"""Commands `report` and `compare`: show runs as an HTML page, or as a table of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gan_lightning.cli.arguments import complete_runs
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
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
    help="File to write; an existing one is replaced.",
)
@handle_errors
def report(runs: Sequence[str], output: Path) -> None:
    """Write an HTML report about runs: curves, pictures, claims and configs.

    The file is self-contained: it needs no network and no login. Runs that are still training are
    shown up to their latest update. It needs the extra `report`.

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
    """Print the metrics, claims and config differences of runs as a table.

    \b
    Examples:
      gan-lightning compare gan_ring unrolled_ring
      gan-lightning compare runs/gan_ring/2026-11-23_10-00-00 runs/gan_ring/2026-11-23_11-00-00
    """
    from gan_lightning.report.comparison import compare as comparison_table

    click.echo(comparison_table(runs))
    suggest("report", *runs)
