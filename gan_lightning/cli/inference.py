"""`evaluate`, `sample` and `traverse`: what is done with a run's model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gan_lightning.cli.arguments import (
    checkpoint_option,
    complete_runs,
    overrides_argument,
    run_argument,
)
from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["evaluate", "sample", "traverse"]


@click.command()
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_runs)
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Judge the `images` or `points` of a file instead of a run.",
)
@click.option("--data", metavar="NAME", help="Data set to judge them against.")
@click.option("--count", type=int, help="Data to generate; by default what the run's config says.")
@checkpoint_option
@overrides_argument
@handle_errors
def evaluate(
    run: str | None,
    samples: Path | None,
    data: str | None,
    count: int | None,
    checkpoint: str,
    overrides: Sequence[str],
) -> None:
    """Measure a run's model anew from its checkpoint, or anybody's samples.

    Overrides of a run are evaluation.KEY=VALUE, and data.root=DIR where its data have moved.

    \b
    Examples:
      gan-lightning evaluate infogan_mnist
      gan-lightning evaluate dcgan_celeba evaluation.inception=inception.pth
      gan-lightning evaluate --samples digits.npz --data mnist
      gan-lightning evaluate --samples faces.npz --data celeba data.root=/data/celeba
    """
    if (run is None) == (samples is None):
        raise UserError("evaluate needs a RUN, or --samples FILE.npz with --data NAME")
    if count is not None and count < 2:
        raise UserError(f"--count is {count}; it must be at least 2")
    with gc_paused_imports():
        from gan_lightning.inference import sampling

    if run is not None:
        measures = sampling.evaluate_run(run, count, checkpoint, overrides)
    else:
        assert samples is not None
        measures = sampling.evaluate_file(samples, data, overrides)
    for name, value in measures.items():
        click.echo(f"  {name:<26} {value:>9.4f}")


@click.command()
@run_argument
@click.option("--count", type=int, default=64, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="FILE.npz: arrays `images` uint8 (N, H, W, C) or `points` float32 (N, 2), and `labels`, "
    "`codes` and `sources` where the model has them. FILE.png: a picture.",
)
@checkpoint_option
@handle_errors
def sample(run: str, count: int, seed: int, output: Path, checkpoint: str) -> None:
    """Generate data with a run's model.

    \b
    Example:
      gan-lightning sample infogan_mnist --count 10000 --seed 1 --output digits.npz
    """
    with gc_paused_imports():
        from gan_lightning.inference import sampling

    sampling.write_samples(run, count, seed, output, checkpoint)
    click.echo(f"wrote {count} samples to {output}")


@click.command()
@run_argument
@click.option("--rows", type=int, default=8, show_default=True, help="Of each panel.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what stays fixed.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("traversal.png"),
    show_default=True,
    metavar="FILE.png",
)
@checkpoint_option
@handle_errors
def traverse(run: str, rows: int, seed: int, output: Path, checkpoint: str) -> None:
    """Draw what each code of a run's model does, all else fixed.

    \b
    Example:
      gan-lightning traverse infogan_mnist --output codes.png
    """
    with gc_paused_imports():
        from gan_lightning.inference import sampling

    sampling.write_traversal(run, rows, seed, output, checkpoint)
    click.echo(f"wrote {output}")
