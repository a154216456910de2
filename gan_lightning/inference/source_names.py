"""Open the images that `--samples` and `--reference` name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from gan_lightning.config.load import load_config
from gan_lightning.config.sections import selected_class
from gan_lightning.data import DATASETS, BaseDataModule
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.data.opening import open_dataset, raised_by
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.inference.generated_sources import ExportedSource, RunSource
from gan_lightning.inference.image_files import FolderSource, NpzSource
from gan_lightning.inference.image_sources import ArraySource, DatasetSource, ImageSource
from gan_lightning.runs.models import find_model
from gan_lightning.utils.import_path import import_object, is_import_path

__all__ = ["TEST", "held_out_source", "open_images"]

TEST = ":test"
"""End of the name of the test part of a data set."""

TORCHVISION = "torchvision:"
GENERATOR = "generator.safetensors"


def open_images(
    text: str,
    option: str,
    root: Path | None = None,
    overrides: Sequence[str] = (),
    checkpoint: str = "latest",
) -> ImageSource:
    """Open images by their name.

    Args:
        text: an `.npz` file, a folder of images, a data set of this package (`mnist`, or
            `mnist:test` for its test part), `torchvision:CIFAR10` or `torchvision:CIFAR10:test`,
            the import path of a torch Dataset, a generator file or its folder, or a run.
        option: `--samples` or `--reference`, for messages.
        root: folder of a data set.
        overrides: `data.KEY=VALUE` of a data set of this package.
        checkpoint: of a run: `latest` or `best`.

    Raises:
        UserError: there is nothing of that name, or it cannot be read.
    """
    if text.removesuffix(TEST) in DATASETS:
        return _data_module(text, root, overrides)
    if text.startswith(TORCHVISION):
        return _torchvision(text, root)
    path = Path(text)
    if path.suffix == ".npz":
        return NpzSource(path)
    if path.suffix == ".safetensors":
        return ExportedSource(path)
    if (path / "config.yaml").is_file():
        return RunSource(text, checkpoint)
    if (path / GENERATOR).is_file():
        return ExportedSource(path / GENERATOR)
    if path.is_dir():
        return FolderSource(path)
    if is_import_path(text):
        return _own_dataset(text, root)
    try:
        find_model(text)
    except UserError as error:
        raise UserError(
            f"{option} is {text!r}: no such file, folder, data set or run; data sets are "
            f"{nearest_first(text, DATASETS)}, or torchvision:NAME, or module:Name of your own"
        ) from error
    return RunSource(text, checkpoint)


def held_out_source(
    text: str, root: Path | None = None, overrides: Sequence[str] = ()
) -> ImageSource | None:
    """Open the test part of the data set that is the reference; None where it has none."""
    if text.endswith(TEST):
        return None
    if text in DATASETS or text.startswith(TORCHVISION):
        try:
            return open_images(text + TEST, "--reference", root, overrides)
        except UserError:
            return None
    return None


def _data_module(text: str, root: Path | None, overrides: Sequence[str]) -> ImageSource:
    """Open the training or test images of a data set of this package."""
    name = text.removesuffix(TEST)
    source = {"model": {"name": "gan"}, "network": {"name": "mlp"}, "data": {"name": name}}
    has_root = any(field.name == "root" for field in fields(DATASETS[name].Config))
    places = [f"data.root={root}"] if root is not None and has_root else []
    config = load_config(source, [*places, *overrides])
    data: BaseDataModule = selected_class("data", config.data)(config.data)
    if not data.spec.is_image:
        raise UserError(f"{text} has no images; compare images with images")
    if text.endswith(TEST):
        return ArraySource(text, to_uint8_nhwc(data.test_data().data))
    return ArraySource(text, data.training_data()[0])


def _torchvision(text: str, root: Path | None) -> ImageSource:
    """Open a data set of torchvision; nothing is downloaded."""
    import torchvision.datasets

    part = "test" if text.endswith(TEST) else "train"
    name = text.removesuffix(TEST).removeprefix(TORCHVISION)
    kind = getattr(torchvision.datasets, name, None)
    if not isinstance(kind, type) or not issubclass(kind, Dataset):
        names = torchvision.datasets.__all__
        valid = ", ".join(nearest_first(name, names).split(", ")[:8])
        raise UserError(f"torchvision has no data set {name!r}; valid are {valid}, …")
    parameters = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {"root": str(root or "data")}
    if "train" in parameters:
        arguments["train"] = part == "train"
    elif "split" in parameters:
        arguments["split"] = part
    elif part == "test":
        raise UserError(f"torchvision:{name} has no test part; write {text.removesuffix(TEST)}")
    try:
        dataset = kind(**arguments)
    except Exception as error:  # of many classes
        raise UserError(
            f"torchvision's {name} {raised_by(error)}; give the folder of its files by --root DIR, "
            f"nothing is downloaded"
        ) from error
    return DatasetSource(text, open_dataset(dataset, text))


def _own_dataset(text: str, root: Path | None) -> ImageSource:
    """Open a torch Dataset by its import path: an instance, a class or a function."""
    made_by = import_object(text)
    if isinstance(made_by, Dataset) or not callable(made_by):
        return DatasetSource(text, open_dataset(made_by, text))
    try:
        dataset = made_by(str(root)) if root is not None else made_by()
    except Exception as error:  # code of the user may raise anything
        fix = "it must need no argument, or the folder that --root names"
        raise UserError(f"{text} {raised_by(error)}; {fix}") from error
    return DatasetSource(text, open_dataset(dataset, text))
