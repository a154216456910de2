"""Evaluators of cartoon faces, in the features and by the attributes that a classifier reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gan_lightning.assets.loader import CLASSIFIERS
from gan_lightning.classifiers.attributes import shipped_face_network
from gan_lightning.core.module import evaluation_mode
from gan_lightning.data.base import to_float_nchw
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import CHUNK_SIZE, SampleEvaluator, compute_floats
from gan_lightning.metrics import FeatureStatistics, FrechetDistance, cached_statistics
from gan_lightning.metrics.attributes import (
    AttributeAccuracy,
    AttributeDivergence,
    ValueAccuracy,
    count_values,
)
from gan_lightning.networks.face_net import FaceNet
from gan_lightning.types import DataSpec

__all__ = ["FaceEvaluator", "attribute_accuracies", "read_attributes"]

BATCH_SIZE = 125
"""Faces per forward pass of the classifier, whose feature maps then fit in the CPU cache."""


class FaceData(Protocol):
    """Cartoon faces with known attributes."""

    spec: DataSpec

    @property
    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """Names of the values of every attribute."""
        ...

    @property
    def training_attributes(self) -> Tensor:
        """Numbers of the values of the training faces, int64 (M, attributes)."""
        ...

    def test_faces(self) -> tuple[Any, Tensor]:
        """Return all test faces, uint8 (M, S, S, 3), and the values of their attributes."""
        ...


class FaceEvaluator(SampleEvaluator):
    """Compares generated cartoon faces with real ones, by the shipped classifier of attributes.

    Args:
        data: cartoon faces of at least 32 pixels.
        device: device of the generated faces.
        shard: this process's part of the work.
        conditional: compute how often the requested attributes are read, too, by attribute and by
            value.
    """

    def __init__(
        self,
        data: FaceData,
        device: torch.device,
        shard: Shard = SINGLE_PROCESS,
        conditional: bool = False,
    ) -> None:
        self._network = shipped_face_network().to(device)
        key: dict[str, str | int | float] = {
            "data": f"faces-test {data.test_faces()[0].fingerprint}",
            "features": CLASSIFIERS["face"].sha256,
        }
        reference = cached_statistics(key, lambda: self._reference(data, device, shard))
        features, sizes = self._network.features_size, self._network.sizes
        self._distance = FrechetDistance(nn.Identity(), features, reference).to(device)
        real = count_values(data.training_attributes, sizes)
        self._divergence = AttributeDivergence(real, sizes).to(device)
        self._spec: DataSpec = data.spec
        names = self._spec.attribute_names if conditional else ()
        self._columns = [list(data.attribute_values).index(name) for name in names]
        values = {name: _key_parts(data.attribute_values[name]) for name in names}
        self._accuracy = AttributeAccuracy(names).to(device) if names else None
        self._value_accuracy = ValueAccuracy(values).to(device) if names else None

    @torch.no_grad()
    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated faces (N, 3, S, S) in [-1, 1]."""
        features = _features(self._network, samples)
        values = self._network.values(features)
        self._distance.update(features)
        self._divergence.update(values)
        for accuracy in filter(None, (self._accuracy, self._value_accuracy)):
            if requested_labels is not None:
                requested = self._spec.values_of(requested_labels)
                accuracy.update(values[:, self._columns], requested)

    def compute(self) -> dict[str, float]:
        """Return fd_faces, the divergence of the attributes, and accuracies of requested ones."""
        measures = {
            "fd_faces": self._distance.compute().item(),
            "attribute/kl": self._divergence.compute().item(),
        }
        accuracies = compute_floats(self._accuracy) if self._accuracy else {}
        measures |= {f"attribute/{name}/accuracy": value for name, value in accuracies.items()}
        if accuracies:
            measures["attribute/least_accuracy"] = min(accuracies.values())
        by_value = compute_floats(self._value_accuracy) if self._value_accuracy else {}
        return measures | {f"attribute/{name}/accuracy": by_value[name] for name in by_value}

    @torch.no_grad()
    def _reference(self, data: FaceData, device: torch.device, shard: Shard) -> FeatureStatistics:
        chunks = _test_faces(data, shard.undivided(), device)
        features = torch.cat([_features(self._network, images) for images, _ in chunks])
        return FeatureStatistics.from_features(features)


def _key_parts(names: Iterable[str]) -> list[str]:
    """Return names of values as parts of the keys of metrics, which have no spaces."""
    return [name.replace(" ", "_") for name in names]


def read_attributes(images: Tensor) -> Tensor:
    """Read the attributes of faces by the shipped classifier.

    Args:
        images: (N, 3, S, S) in [-1, 1], S at least 32.

    Returns:
        Number of the value of each attribute, int64 (N, 11), in the order of the store.
    """
    network = shipped_face_network().to(images.device)
    with torch.no_grad():
        return network.values(_features(network, images))


def _features(network: FaceNet, images: Tensor) -> Tensor:
    return torch.cat([network.features(batch) for batch in images.float().split(BATCH_SIZE)])


def attribute_accuracies(classifier: Any, data: Any, shard: Shard) -> dict[str, float]:
    """Compute the accuracies of a classifier of attributes on all test faces.

    Args:
        classifier: a model that has `attribute_sizes`.
        data: its dataset, cartoon faces.
        shard: this process's part of the work.

    Returns:
        `classifier/accuracy/ATTRIBUTE` and `classifier/least_attribute_accuracy`; with the data's
        `smaller_size`, 32 for example, also `classifier/accuracy_32/ATTRIBUTE` and
        `classifier/least_attribute_accuracy_32`, of the same faces of that size.
    """
    names, network = classifier.data.attribute_names, classifier.network
    columns = [list(data.attribute_values).index(name) for name in names]
    measures: dict[str, float] = {}
    for faces in filter(None, (data, data.smaller)):
        accuracy = AttributeAccuracy(names).to(classifier.device)
        with evaluation_mode(network):
            for images, attributes in _test_faces(faces, shard, classifier.device):
                values = network.values(_features(network, images))
                accuracy.update(values, attributes[:, columns])
        suffix = "" if faces is data else f"_{faces.config.size}"
        accuracies = compute_floats(accuracy)
        measures[f"classifier/least_attribute_accuracy{suffix}"] = min(accuracies.values())
        measures |= {
            f"classifier/accuracy{suffix}/{name}": value for name, value in accuracies.items()
        }
    return measures


def _test_faces(
    data: FaceData, shard: Shard, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield this process's chunks of the test faces, in [-1, 1], and the values of attributes."""
    images, attributes = data.test_faces()
    for rows in shard.iterate(torch.arange(len(images)).split(CHUNK_SIZE)):
        yield to_float_nchw(images[rows].to(device)), attributes[rows].to(device)
