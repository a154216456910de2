"""Command `export`: write the generator of a run as a file that needs no run directory."""

from __future__ import annotations

from pathlib import Path

import click

from gan_lightning.cli.arguments import checkpoint_option, run_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
from gan_lightning.utils.imports import fast_imports

__all__ = ["export"]


@click.command()
@run_argument
@click.option(
    "--format",
    "format_name",
    default="torch",
    show_default=True,
    metavar="safetensors|torch|onnx",
    help="torch: an exported program that needs only PyTorch. onnx: a graph for any ONNX runtime. "
    "safetensors: weights and config, loaded by gan_lightning.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to create; by default RUN/export/FORMAT.",
)
@click.option(
    "--license",
    "licence",
    metavar="ID",
    help="Licence of the model, for example mit or cc-by-4.0; by default one that the licence of "
    "the data allows.",
)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    metavar="float32|float16|int8",
    help="Round the weights to fewer bits, for a smaller file; for safetensors.",
)
@click.option(
    "--evaluate",
    "evaluations",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Evaluate the written weights N times with other samples, and put the metrics with their "
    "spread into the card; for safetensors.",
)
@checkpoint_option
@handle_errors
def export(
    run: str,
    format_name: str,
    output: Path | None,
    licence: str | None,
    precision: str,
    evaluations: int,
    checkpoint: str,
) -> None:
    """Export the generator of a run as one file, with a model card and a picture.

    The exported function takes noise, labels, codes or source images by name and returns images in
    [0, 1], or points. The file is loaded again and its output compared with the model's; if they
    differ by more than 1e-4, nothing is written.

    In the format safetensors the folder is a saved model: it has the config and the metrics too,
    and `sample`, `traverse`, `play`, `evaluate` and `export` take it as they take a run.

    \b
    Examples:
      gan-lightning export infogan_mnist
      gan-lightning export infogan_mnist --format onnx --output infogan-onnx
      gan-lightning export runs/gan_ring/2026-11-23_10-00-00 --format safetensors --checkpoint best
    """
    with fast_imports():
        from gan_lightning.export import export_run

    exported = export_run(
        run, format_name, output, checkpoint, licence, precision=precision, evaluations=evaluations
    )
    for size, difference in exported.parity.items():
        click.echo(f"parity at batch size {size:>2}: largest difference {difference:.1e}")
    click.echo(f"wrote {exported.file_format.file} and its card README.md to {exported.target}")
    if format_name == "safetensors":
        suggest("gallery", exported.target)
