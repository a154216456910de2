"""`timelapse` and `neighbours`: what a run's pictures and data show."""

from __future__ import annotations

from pathlib import Path

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["neighbours", "timelapse"]


@click.command()
@run_argument
@click.option(
    "--picture",
    metavar="KIND",
    help="samples, traversal, scatter, pairs, translations, portrait: what the run's samples/ "
    "has; by default its main one.",
)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="That it lasts.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="FILE.mp4, FILE.gif or FILE.webp; by default RUN/timelapse.mp4.",
)
@handle_errors
def timelapse(run: str, picture: str | None, seconds: float, output: Path | None) -> None:
    """Make a film of a run's training, of the pictures that it has drawn.

    How many there are is a matter of pictures.every_n_updates.

    \b
    Examples:
      gan-lightning timelapse infogan_mnist
      gan-lightning timelapse gan_ring --seconds 5 --output ring.gif
      gan-lightning timelapse infogan_mnist --picture traversal --output codes.mp4
    """
    from gan_lightning.report.timelapse import write_timelapse

    file, count = write_timelapse(run, output, picture, seconds)
    click.echo(f"wrote {count} pictures as a film to {file}")


@click.command()
@run_argument
@click.option("--count", type=int, default=10, show_default=True, help="Samples to draw.")
@click.option("--neighbours", "kept", type=int, default=5, show_default=True, help="Of each.")
@click.option(
    "--space",
    default="pixels",
    show_default=True,
    metavar="pixels|features",
    help="What is near: Euclidean in pixels or points, or in the digit classifier's features.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("neighbours.png"),
    show_default=True,
    metavar="FILE.png",
)
@checkpoint_option
@handle_errors
def neighbours(
    run: str, count: int, kept: int, space: str, seed: int, output: Path, checkpoint: str
) -> None:
    """Draw samples beside their nearest training data, and say whether they are copies.

    1,000 samples are held against the training data, and so are 1,000 test data, which nobody can
    have copied: samples that lie nearer than those do are memorised.

    \b
    Examples:
      gan-lightning neighbours infogan_mnist
      gan-lightning neighbours dcgan_mnist --space features --count 6 --output copies.png
    """
    with gc_paused_imports():
        from gan_lightning.inference.memorization import write_neighbours

    for line in write_neighbours(run, count, kept, space, seed, output, checkpoint):
        click.echo(line)
    click.echo(f"wrote {output}")
