"""Commands `timelapse` and `neighbours`: a video of training, and a test for memorised data."""

from __future__ import annotations

from pathlib import Path

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
from gan_lightning.utils.imports import fast_imports

__all__ = ["neighbours", "timelapse"]


@click.command()
@run_argument
@click.option(
    "--picture",
    metavar="KIND",
    help="Kind of picture in the run's samples/, for example samples, traversal or scatter; by "
    "default its main one.",
)
@click.option(
    "--seconds", type=float, default=10.0, show_default=True, help="Duration of the video."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="FILE.mp4, FILE.gif or FILE.webp; by default RUN/timelapse.mp4.",
)
@handle_errors
def timelapse(run: str, picture: str | None, seconds: float, output: Path | None) -> None:
    """Write a video of the pictures that a run drew during training.

    pictures.every_n_updates of the run decides how many there are. An MP4 file needs the extra
    `video`.

    \b
    Examples:
      gan-lightning timelapse infogan_mnist
      gan-lightning timelapse gan_ring --seconds 5 --output ring.gif
      gan-lightning timelapse infogan_mnist --picture traversal --output codes.mp4
    """
    from gan_lightning.report.timelapse import write_timelapse

    file, count = write_timelapse(run, output, picture, seconds)
    click.echo(f"wrote a video of {count} pictures to {file}")
    suggest("report", run)


@click.command()
@run_argument
@click.option("--count", type=int, default=10, show_default=True, help="Samples to draw.")
@click.option(
    "--neighbours",
    "num_neighbours",
    type=int,
    default=5,
    show_default=True,
    help="Nearest training data of each sample to draw.",
)
@click.option(
    "--space",
    default="pixels",
    show_default=True,
    metavar="pixels|features",
    help="Space of the Euclidean distance: pixels or points, or the digit classifier's features.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the samples.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("neighbours.png"),
    show_default=True,
    metavar="FILE.png",
    help="File to write.",
)
@checkpoint_option
@handle_errors
def neighbours(
    run: str, count: int, num_neighbours: int, space: str, seed: int, output: Path, checkpoint: str
) -> None:
    """Draw samples next to their nearest training data, and test whether they are copies.

    The distances of 1,000 samples to the training data are compared with those of 1,000 test data,
    which cannot be copies. Samples that lie nearer than the test data are memorised.

    \b
    Examples:
      gan-lightning neighbours infogan_mnist
      gan-lightning neighbours dcgan_mnist --space features --count 6 --output copies.png
    """
    with fast_imports():
        from gan_lightning.inference.memorization import write_neighbours

    for line in write_neighbours(run, count, num_neighbours, space, seed, output, checkpoint):
        click.echo(line)
    click.echo(f"wrote {output}")
    suggest("play", run)
