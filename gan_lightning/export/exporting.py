"""A run's generator becomes files that stand without the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree

import torch
from PIL import Image

from gan_lightning.callbacks.figures import image_grid
from gan_lightning.callbacks.scatter import draw_scatter
from gan_lightning.data import BaseDataModule
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.export.card import Exported, model_card
from gan_lightning.export.formats import FORMATS, Format, rebuilding
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.export.licences import data_card
from gan_lightning.gans import GAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model

__all__ = ["TOLERANCE", "export_run"]

TOLERANCE = 1e-4
"""Largest difference from the model that an exported generator may have."""

BATCH_SIZES = (1, 16)
CARD = "README.md"
PICTURE = "samples.png"
PICTURED = 64
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def export_run(
    run: str,
    format_name: str,
    output: Path | None = None,
    checkpoint: str = "latest",
    licence: str | None = None,
) -> Exported:
    """Write a run's generator, a picture of what it makes and a model card into a folder.

    What was written is read back and held against the model before the folder gets its name.

    Args:
        run: folder, or an experiment's name.
        format_name: one of `FORMATS`.
        output: folder; None for RUN/export/FORMAT.
        checkpoint: `latest` or `best`.
        licence: of the model, of Hugging Face's identifiers; None for what goes with the data.

    Raises:
        UserError: there is no such run or format, a package is missing, the folder holds something
            else, or the file does not agree with the model; nothing is written then.
    """
    if format_name not in FORMATS:
        raise UserError(
            f"--format is {format_name!r}; valid are {nearest_first(format_name, FORMATS)}"
        )
    if licence is not None and not LICENCE.fullmatch(licence):
        raise UserError(f"--license is {licence!r}; give an identifier, as mit or cc-by-4.0")
    kind = FORMATS[format_name]
    kind.check()
    folder = RunDirectory.find(run)
    target = output or folder.path / "export" / format_name
    _check_free(target)
    gan, data, config = load_model(folder, checkpoint)
    if not isinstance(gan, GAN):
        raise UserError(f"run {run!r} is of {config.model.name}, which generates nothing")
    described = data_card(config.data.name, data)
    about = {**rebuilding(config, gan.data), "updates": gan.updates, "title": config.title}
    partial = target.with_name(f".{target.name}.partial")
    try:
        rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            function = GeneratorFunction(gan)
            kind.write(function, partial / kind.file, {**about, "inputs": function.inputs})
            made = Exported(
                target=target,
                folder=folder,
                config=config,
                updates=gan.updates,
                function=function,
                kind=kind,
                parity=_checked(function, kind, partial / kind.file),
                data=described,
                licence=licence or described.licence,
                shape=gan.data.shape,
                picture=_draw(function, data, partial),
            )
            (partial / CARD).write_text(model_card(made), encoding="utf-8")
            _put(partial, target)
        finally:
            rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror}; choose another --output"
        ) from error
    return made


@torch.no_grad()
def parity(function: GeneratorFunction, kind: Format, path: Path) -> dict[int, float]:
    """Return, for two batch sizes, the largest absolute difference of a file from the model."""
    generate = kind.read(path)
    found = {}
    for size in BATCH_SIZES:
        inputs = function.draw(size, seed=size)
        found[size] = (generate(inputs) - function(**inputs)).abs().max().item()
    return found


def _checked(function: GeneratorFunction, kind: Format, path: Path) -> Mapping[int, float]:
    found = parity(function, kind, path)
    if not max(found.values()) <= TOLERANCE:  # no number is no agreement
        raise UserError(
            f"the exported generator differs from the model by {max(found.values()):.1e}, and by "
            f"{TOLERANCE:g} it may: nothing is written; choose another --format"
        )
    return found


@torch.no_grad()
def _draw(function: GeneratorFunction, data: BaseDataModule, folder: Path) -> str:
    """Draw what the generator makes; of numbers there is no picture."""
    inputs = function.draw(PICTURED, seed=0)
    test = data.test_data()
    if "source" in inputs and test.source is not None:
        rows = [slice(start, start + 8) for start in (0, 8)]
        parts = [test.source[row] for row in rows]
        made = [
            function(**{**{n: p[: len(part)] for n, p in inputs.items()}, "source": (part + 1) / 2})
            for part in parts
        ]
        pairs = zip(parts, made, strict=True)
        picture = image_grid(torch.cat([side for part, one in pairs for side in (part, one * 2 - 1)]), 8)
    elif function.is_image:
        picture = image_grid(function(**inputs) * 2 - 1)
    elif test.data.shape[1] == 2:
        points = function(**function.draw(2500, seed=0))
        picture = draw_scatter(test.data[:2500], points, "real points and what it generates")
    else:
        return ""
    Image.fromarray(picture).save(folder / PICTURE)
    return PICTURE


def _check_free(target: Path) -> None:
    """Refuse a folder that holds what no export has written."""
    ours = {CARD, PICTURE, *(kind.file for kind in FORMATS.values())}
    if target.exists() and (
        not target.is_dir() or any(path.name not in ours for path in target.iterdir())
    ):
        raise UserError(f"{target} holds something else; choose a new folder by --output DIR")


def _put(partial: Path, target: Path) -> None:
    """Give the finished folder its name, in place of an earlier export."""
    if target.exists():
        rmtree(target)
    partial.replace(target)
