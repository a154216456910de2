"""Commands `sample` and `traverse`: use the model of a run."""

from __future__ import annotations

from pathlib import Path

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
from gan_lightning.utils.imports import fast_imports

__all__ = ["sample", "traverse"]


@click.command()
@run_argument
@click.option("--count", type=int, default=64, show_default=True, help="Number of samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the samples.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="FILE.npz for arrays `images`, uint8 (N, H, W, C), or `points`, float32 (N, 2), and "
    "`labels`, `codes` and `sources` where the model has them; FILE.png for a picture.",
)
@checkpoint_option
@handle_errors
def sample(run: str, count: int, seed: int, output: Path, checkpoint: str) -> None:
    """Generate samples with the model of a run.

    \b
    Example:
      gan-lightning sample infogan_mnist --count 10000 --seed 1 --output digits.npz
    """
    with fast_imports():
        from gan_lightning.inference.sample import write_samples

    write_samples(run, count, seed, output, checkpoint)
    click.echo(f"wrote {count} samples to {output}")
    suggest("play", run)


@click.command()
@run_argument
@click.option("--rows", type=int, default=8, show_default=True, help="Rows of each panel.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the inputs that stay fixed."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("traversal.png"),
    show_default=True,
    metavar="FILE.png",
    help="File to write.",
)
@checkpoint_option
@handle_errors
def traverse(run: str, rows: int, seed: int, output: Path, checkpoint: str) -> None:
    """Draw the effect of each code of the generator, with its other inputs fixed.

    \b
    Example:
      gan-lightning traverse infogan_mnist --output codes.png
    """
    with fast_imports():
        from gan_lightning.inference.traverse import write_traversal

    write_traversal(run, rows, seed, output, checkpoint)
    click.echo(f"wrote {output}")
    suggest("play", run)
