"""Export the generator of a run: write a file, check it against the model, add a model card."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from PIL import Image

from gan_lightning.callbacks.figures import Array, image_grid
from gan_lightning.callbacks.labelled_grids import COLUMNS, class_grid
from gan_lightning.callbacks.scatter import draw_scatter
from gan_lightning.core.packed_weights import PRECISIONS
from gan_lightning.data import BaseDataModule
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.export.card import Exported, model_card
from gan_lightning.export.formats import FORMATS, Format, Weights, rebuild_metadata
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.export.licences import data_card
from gan_lightning.export.remeasure import remeasure
from gan_lightning.export.saved_model import (
    SAVED_MODEL,
    round_weights,
    write_measures,
    write_saved_model,
)
from gan_lightning.gans import GAN
from gan_lightning.runs.models import find_model, is_shipped
from gan_lightning.training.restore import load_model

__all__ = ["TOLERANCE", "export_run"]

TOLERANCE = 1e-4
"""Largest absolute difference between an exported generator and the model."""

BATCH_SIZES = (1, 16)
"""Batch sizes with which an exported generator is checked."""

CARD = "README.md"
PICTURE = "samples.png"
PICTURE_SAMPLES = 64
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def export_run(
    run: str,
    format_name: str,
    output: Path | None = None,
    checkpoint: str = "latest",
    licence: str | None = None,
    *,
    precision: str = "float32",
    evaluations: int = 0,
) -> Exported:
    """Write the generator of a run, a picture of samples and a model card into a directory.

    The written file is read back and compared with the model before the directory is created. In
    the format safetensors the directory is a saved model: it loads as a run does.

    Args:
        run: run directory, saved model, or an experiment's name for its latest run, else for the
            shipped model.
        format_name: key of `FORMATS`.
        output: directory to create; None for RUN/export/FORMAT.
        checkpoint: `latest` or `best`.
        licence: Hugging Face's identifier of the model's licence; None for that of the dataset.
        precision: of the weights, one of `PRECISIONS`; others than float32 for safetensors only.
        evaluations: number of evaluations of the written weights, whose metrics the card then has,
            with their spread; 0 for the metrics of the run. For safetensors only.

    Raises:
        UserError: the run, the checkpoint, the format or the precision does not exist, a package
            is not installed, the directory has other content, or the file differs from the model.
            Nothing is written.
    """
    if format_name not in FORMATS:
        raise UserError(
            f"--format is {format_name!r}; valid are {nearest_first(format_name, FORMATS)}"
        )
    if licence is not None and not LICENCE.fullmatch(licence):
        raise UserError(
            f"--license is {licence!r}; it must be an identifier such as mit or cc-by-4.0"
        )
    if precision not in PRECISIONS:
        raise UserError(f"--precision is {precision!r}; valid are {', '.join(PRECISIONS)}")
    is_rounded = precision != "float32"
    if is_rounded and format_name != "safetensors":
        raise UserError(
            f"--precision is {precision}, which is for --format safetensors, not for "
            f"{format_name}; leave it out"
        )
    if evaluations and format_name != "safetensors":
        raise UserError(f"--evaluate is for --format safetensors, not for {format_name}")
    file_format = Weights(precision) if is_rounded else FORMATS[format_name]
    file_format.check_requirements()
    directory = find_model(run)
    parent = Path(run) if is_shipped(directory) else directory.path
    target = output or parent / "export" / format_name
    _check_target(target)
    gan, data, config = load_model(directory, checkpoint, needs_data=False)
    if not isinstance(gan, GAN):
        raise UserError(
            f"run {run!r} trained a {config.model.name}, which generates nothing; "
            f"choose a run of a GAN"
        )
    dataset = data_card(config.data.name, data)
    metadata = {
        **rebuild_metadata(config, gan.data),
        "updates": gan.updates,
        "title": config.title,
    }
    partial = target.with_name(f".{target.name}.partial")
    try:
        rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            function = GeneratorFunction(gan)
            rounding = round_weights(function, precision) if is_rounded else None
            path = partial / file_format.file
            file_format.write(function, path, {**metadata, "inputs": function.inputs})
            parity = _check_parity(function, file_format, path)
            exported = Exported(
                target=target,
                run=directory,
                config=config,
                updates=gan.updates,
                function=function,
                file_format=file_format,
                parity=parity,
                data=dataset,
                licence=licence or dataset.licence,
                shape=gan.data.shape,
                picture=_write_picture(function, data, partial),
                class_names=data.class_names,
                precision=precision,
                rounding=rounding,
            )
            if isinstance(file_format, Weights):
                write_saved_model(exported, data, partial)
                if evaluations:
                    exported = replace(exported, remeasured=remeasure(partial, evaluations))
                    write_measures(exported, partial)
            (partial / CARD).write_text(model_card(exported), encoding="utf-8")
            _move(partial, target)
        finally:
            rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror}; choose another --output"
        ) from error
    return exported


@torch.no_grad()
def _check_parity(function: GeneratorFunction, file_format: Format, path: Path) -> dict[int, float]:
    """Compare an exported file with the model.

    Returns:
        For each batch size, the largest absolute difference.

    Raises:
        UserError: a difference exceeds the tolerance, or is NaN.
    """
    generate = file_format.read(path)
    differences = {}
    for size in BATCH_SIZES:
        inputs = function.sample_inputs(size, seed=size)
        differences[size] = (generate(inputs) - function(**inputs)).abs().max().item()
    largest = float(np.max(list(differences.values())))  # NaN if any is NaN
    if not largest <= TOLERANCE:
        raise UserError(
            f"the exported generator differs from the model by {largest:.1e}, more than the "
            f"tolerance of {TOLERANCE:g}; nothing is written; choose another --format"
        )
    return differences


def _write_picture(function: GeneratorFunction, data: BaseDataModule, directory: Path) -> str:
    """Write a picture of samples, and return its file name; empty for scalars."""
    picture = _draw(function, data)
    if picture is None:
        return ""
    Image.fromarray(picture).save(directory / PICTURE)
    return PICTURE


@torch.no_grad()
def _draw(function: GeneratorFunction, data: BaseDataModule) -> Array | None:
    """Draw samples: translations of test data, an image grid, or a scatter plot."""
    inputs = function.sample_inputs(PICTURE_SAMPLES, seed=0)
    if "source" in inputs:
        test, rows = data.test_data(), []
        assert test.source is not None
        for source in (test.source[:8], test.source[8:16]):
            values = {name: value[: len(source)] for name, value in inputs.items()}
            generated = function(**{**values, "source": (source + 1) / 2})
            rows += [source, generated * 2 - 1]
        return image_grid(torch.cat(rows), 8)
    if function.is_image:
        images, classes = function(**inputs) * 2 - 1, data.spec.classes
        if "labels" not in inputs or classes is None or classes > COLUMNS:
            return image_grid(images)
        return class_grid(images, inputs["labels"], classes, data.class_names)
    if data.spec.shape == (2,):
        points, real = function(**function.sample_inputs(2500, seed=0)), data.test_data().data
        return draw_scatter(real[:2500], points, "real and generated points")
    return None


def _check_target(target: Path) -> None:
    """Check that a directory is new, empty, or holds an earlier export only."""
    names = {CARD, PICTURE, *SAVED_MODEL, *(entry.file for entry in FORMATS.values())}
    if target.exists() and (
        not target.is_dir() or any(path.name not in names for path in target.iterdir())
    ):
        raise UserError(f"{target} has other content; choose a new directory by --output DIR")


def _move(partial: Path, target: Path) -> None:
    """Move the finished directory to its place, and replace an earlier export."""
    if target.exists():
        rmtree(target)
    partial.replace(target)
