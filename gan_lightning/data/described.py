"""What a trained model needs to know of its data: sampling works where the data are not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gan_lightning.data.base import BaseDataModule, DataConfig, to_float_nchw, to_uint8_nhwc
from gan_lightning.data.round_loader import IndexableData
from gan_lightning.errors import MissingDataError
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.files import atomic_write

__all__ = [
    "MAX_SOURCES",
    "DescribedData",
    "as_data_spec",
    "data_of_spec",
    "read_description",
    "write_description",
]

MAX_POINTS = 2_500
"""Test points that the file keeps, which scatter plots show beside generated ones."""

MAX_SOURCES = 64
"""Test images that the file keeps of data with sources, which a translating model samples from."""

TRAITS = ("shows_digits", "belongs_to_user", "classes_are_domains", "sources_are_edges")
"""Class attributes of `BaseDataModule`."""


class DescribedData(BaseDataModule):
    """Data that are not on this machine, as the file in the directory of a run describes them.

    It has their shape, classes and names, and a few test data: points for scatter plots, images for
    translations.

    Args:
        config: section `data` of the run.
        content: content of the file, as `read_description` returns it.
        examples: tensors of the file, by name.
        missing: why the data cannot be opened, the message of every attempt to use them.
    """

    def __init__(
        self,
        config: DataConfig,
        content: Mapping[str, Any],
        examples: Mapping[str, Tensor],
        missing: str,
    ) -> None:
        super().__init__(config)
        self.spec, self._model_spec = (
            as_data_spec(content[name]) for name in ("spec", "model_spec")
        )
        self._content, self._examples, self._missing = content, examples, missing
        for trait in TRAITS:
            setattr(self, trait, bool(content[trait]))

    @property
    def num_modes(self) -> int | None:
        """Number of modes or classes that a generator should cover, or None."""
        modes: int | None = self._content["num_modes"]
        return modes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty where there are no classes."""
        return tuple(self._content["class_names"])

    @property
    def class_attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the values of each attribute whose combinations are the classes."""
        return {name: tuple(values) for name, values in self._content["class_attributes"].items()}

    @property
    def model_spec(self) -> DataSpec:
        """`spec` as the model of the run used it."""
        return self._model_spec

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return what was measured of generated samples."""
        return tuple(self._content["evaluators"][int(conditional)])

    def pictures(self) -> tuple[str, ...]:
        """Return what was drawn of a GAN."""
        return tuple(self._content["pictures"])

    def training_data(self) -> tuple[IndexableData, Tensor | None]:
        """Raise a MissingDataError."""
        raise MissingDataError(self._missing)

    def test_data(self) -> Batch:
        """Return the test data that the file has, of points perhaps none.

        Raises:
            MissingDataError: it has no images.
        """
        if "data" not in self._examples and not self.spec.is_image:
            return Batch(torch.empty(0, *self.spec.shape))
        if "data" not in self._examples:
            raise MissingDataError(self._missing)
        tensors = {name: to_float_nchw(values) for name, values in self._examples.items()}
        return Batch(tensors["data"], tensors.get("labels"), tensors.get("source"))


def write_description(path: Path, data: BaseDataModule) -> None:
    """Describe data for a machine that has the model and not the data.

    Args:
        path: file to write, safetensors: the attributes of the data as metadata, and examples.
        data: the data.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    metadata = {"data": json.dumps(_attributes(data))}
    atomic_write(path, save(_examples(data), metadata))


def data_of_spec(
    config: DataConfig, spec: DataSpec, sources: Tensor | None = None
) -> DescribedData:
    """Return data of which the shape and the number of classes are known, and nothing else.

    Args:
        config: section `data` of a config.
        spec: shape and classes.
        sources: uint8 images (M, H, W, C) that a model translates; None without.
    """
    evaluators = ["images"] if spec.is_image else []
    pictures = ["samples", "traversal"] if spec.is_image else ["scatter"]
    content = {
        "spec": asdict(spec),
        "model_spec": asdict(spec),
        "num_modes": spec.classes,
        "class_names": [str(number) for number in range(spec.classes or 0)],
        "class_attributes": {},
        "evaluators": [evaluators, evaluators],
        "pictures": pictures if spec.source_shape is None else ["translations"],
        **dict.fromkeys(TRAITS, False),
        "belongs_to_user": True,
    }
    examples = {} if sources is None else {"data": sources, "source": sources}
    return DescribedData(config, content, examples, "the data of this model are not known")


def _attributes(data: BaseDataModule) -> dict[str, Any]:
    return {
        "spec": asdict(data.spec),
        "model_spec": asdict(data.model_spec),
        "num_modes": data.num_modes,
        "class_names": data.class_names,
        "class_attributes": dict(data.class_attributes),
        "evaluators": [data.evaluators(conditional) for conditional in (False, True)],
        "pictures": data.pictures(),
        **{trait: getattr(data, trait) for trait in TRAITS},
    }


def read_description(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Read the attributes and the examples of a file that `write_description` wrote.

    Returns:
        Both, or None where the file is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            content = json.loads(file.metadata()["data"])
            examples = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return content, examples


def as_data_spec(plain: Mapping[str, Any]) -> DataSpec:
    """Build a DataSpec from JSON, which has lists in place of tuples."""
    tuples = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
    return DataSpec(**{**plain, **tuples})


def _examples(data: BaseDataModule) -> dict[str, Tensor]:
    """Return test points, or test images with their sources; nothing of other images."""
    if data.spec.source_shape is not None:
        test, count = data.test_data(), MAX_SOURCES
    elif not data.spec.is_image:
        test, count = data.test_data(), MAX_POINTS
    else:
        return {}
    images = {"data": test.data, "source": test.source}
    examples = {
        name: to_uint8_nhwc(values[:count]) if data.spec.is_image else values[:count].float()
        for name, values in images.items()
        if values is not None
    }
    if test.labels is not None:
        examples["labels"] = test.labels[:count]
    return {name: values.contiguous().cpu() for name, values in examples.items()}
