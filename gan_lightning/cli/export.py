"""`export`: a run's generator as files that stand without the run."""

from __future__ import annotations

from pathlib import Path

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["export"]


@click.command()
@run_argument
@click.option(
    "--format",
    "format_name",
    default="torch",
    show_default=True,
    metavar="safetensors|torch|onnx",
    help="torch: a program that needs PyTorch alone. onnx: for any ONNX runtime. safetensors: "
    "weights, which gan_lightning builds the network around.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make; by default RUN/export/FORMAT.",
)
@click.option(
    "--license",
    "licence",
    metavar="ID",
    help="Of the model, as mit or cc-by-4.0; by default what goes with the data's licence.",
)
@checkpoint_option
@handle_errors
def export(
    run: str, format_name: str, output: Path | None, licence: str | None, checkpoint: str
) -> None:
    """Write a run's generator as one file, with a model card and a picture.

    The file takes noise, labels, codes or source images by name and gives images in [0, 1], or
    points. It is read back and held against the model: more than 1e-4 apart, nothing is written.

    \b
    Examples:
      gan-lightning export infogan_mnist
      gan-lightning export infogan_mnist --format onnx --output infogan-onnx
      gan-lightning export runs/gan_ring/2026-11-23_10-00-00 --format safetensors --checkpoint best
    """
    with gc_paused_imports():
        from gan_lightning.export import export_run

    made = export_run(run, format_name, output, checkpoint, licence)
    for size, difference in made.parity.items():
        click.echo(f"parity at batch size {size:>2}: largest difference {difference:.1e}")
    click.echo(f"wrote {made.kind.file} and its card README.md to {made.target}")
