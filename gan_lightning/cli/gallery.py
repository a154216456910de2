"""Command `gallery`: a page with all shipped models."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from gan_lightning.cli.arguments import complete_runs
from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import fast_imports

__all__ = ["gallery"]


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("gallery.html"),
    show_default=True,
    metavar="FILE.html",
    help="File to write.",
)
@click.option("--browser/--no-browser", default=True, help="Whether to open the page in a browser.")
@handle_errors
def gallery(runs: tuple[str, ...], output: Path, browser: bool) -> None:
    """Write a page on which the shipped models, or RUNs, move; nothing has to be trained.

    \b
    Examples:
      gan-lightning gallery
      gan-lightning gallery runs/dcgan_mnist/* --output mine.html
    """
    if output.suffix != ".html":
        raise UserError(f"--output is {output}; its name must end in .html")
    with fast_imports():
        from gan_lightning.play.gallery import write_gallery

    for name in write_gallery(runs, output):
        click.echo(f"drawing {name}")
    click.echo(f"wrote {output}; `gan-lightning play NAME` opens one of them")
    if browser:
        webbrowser.open(output.resolve().as_uri())
