"""Commands `evaluate`, `sample` and `traverse`: use the model of a run."""

from __future__ import annotations

import json
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
    help="Evaluate the `images` or `points` of a file instead of a run.",
)
@click.option("--data", metavar="NAME", help="Dataset to compare the samples of the file with.")
@click.option(
    "--count",
    type=int,
    help="Number of samples to generate; by default evaluation.samples of the run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as one JSON object.")
@checkpoint_option
@overrides_argument
@handle_errors
def evaluate(
    run: str | None,
    samples: Path | None,
    data: str | None,
    count: int | None,
    as_json: bool,
    checkpoint: str,
    overrides: Sequence[str],
) -> None:
    """Evaluate a checkpoint of a run, or samples from a file.

    The metrics of a run are also written to evaluation.json in its directory, beside those of its
    training in outcome.json; `export` puts them into the model card.

    Overrides of a run are evaluation.KEY=VALUE, and data.root=DIR or data.store=DIR where the data
    have moved.

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
        from gan_lightning.inference.evaluate import evaluate_file, evaluate_run

    if run is not None:
        metrics = evaluate_run(run, count, checkpoint, overrides)
    else:
        assert samples is not None
        metrics = evaluate_file(samples, data, overrides)
    if as_json:
        from gan_lightning.runs.state import to_json

        click.echo(json.dumps(to_json(metrics), indent=2))
        return
    for name, value in metrics.items():
        click.echo(f"  {name:<26} {value:>9.4f}")


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
    with gc_paused_imports():
        from gan_lightning.inference.sample import write_samples

    write_samples(run, count, seed, output, checkpoint)
    click.echo(f"wrote {count} samples to {output}")


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
    with gc_paused_imports():
        from gan_lightning.inference.traverse import write_traversal

    write_traversal(run, rows, seed, output, checkpoint)
    click.echo(f"wrote {output}")
