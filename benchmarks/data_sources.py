"""Data sources of the hand-written loops: tensors in memory, or a DataLoader as in a tutorial."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from games import Real
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from gan_lightning.assets import loader
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import MNIST, BaseDataModule
from gan_lightning.data.round_loader import IndexableData

__all__ = [
    "discriminator_steps",
    "iterate_rounds",
    "to_device",
    "to_device_and_scale",
    "tutorial_batches",
    "unpack_digits",
]


def discriminator_steps(config: RunConfig) -> int:
    """Return the number of minibatches in a round, one for each step of the discriminator."""
    steps: int = getattr(config.model, "discriminator_steps", 1)
    return steps


def iterate_rounds(data: BaseDataModule, config: RunConfig) -> Iterator[list[Real]]:
    """Yield rounds of minibatches indefinitely, in the order in which the Trainer reads them."""
    everything, labels = data.training_data()
    source, labelled = data.source_data(), data.labelled_data()
    size, has_labels = config.data.batch_size, data.model_spec.classes is not None
    rows = _infinite_rows(len(everything), size, config.seed, "order", whole_batches=True)
    labelled_rows = None
    if labelled is not None:
        labelled_rows = _infinite_rows(len(labelled[1]), size, config.seed, "labelled order")
    while True:
        minibatches = []
        for _ in range(discriminator_steps(config)):
            chosen = next(rows)
            labelled_batch = None
            if labelled is not None and labelled_rows is not None:
                chosen_labelled = next(labelled_rows)
                labelled_batch = (labelled[0][chosen_labelled], labelled[1][chosen_labelled])
            minibatches.append(
                Real(
                    everything[chosen],
                    labels[chosen] if labels is not None and has_labels else None,
                    None if source is None else source[chosen],
                    labelled_batch,
                )
            )
        yield minibatches


def _infinite_rows(
    count: int, size: int, seed: int, name: str, whole_batches: bool = False
) -> Iterator[Tensor]:
    """Yield `size` row indices at a time from seeded permutations, one permutation per epoch."""
    left, epoch = torch.empty(0, dtype=torch.long), 0
    while True:
        while len(left) < size:
            rng = torch.Generator().manual_seed(derived_seed(seed, name, epoch))
            order = torch.randperm(count, generator=rng)
            left, epoch = (order if whole_batches else torch.cat([left, order])), epoch + 1
        yield left[:size]
        left = left[size:]


def to_device_and_scale(real: Real, device: torch.device) -> Real:
    """Move a minibatch to the device, and scale its images there."""
    data, labels, source, labelled = to_device(real, device)
    return Real(
        _scale_images(data),
        labels,
        None if source is None else _scale_images(source),
        None if labelled is None else (_scale_images(labelled[0]), labelled[1]),
    )


def to_device(real: Real, device: torch.device) -> Real:
    """Move a minibatch to the device unchanged."""
    data, labels, source, labelled = real
    return Real(
        data.to(device),
        None if labels is None else labels.to(device),
        None if source is None else source.to(device),
        None if labelled is None else (labelled[0].to(device), labelled[1].to(device)),
    )


def _scale_images(data: Tensor) -> Tensor:
    """Map uint8 images (N, H, W, C) to (N, C, H, W) in [-1, 1]; return points unchanged."""
    if data.dtype != torch.uint8:
        return data
    return data.float().div_(127.5).sub_(1).movedim(-1, -3)


def tutorial_batches(data: BaseDataModule, config: RunConfig) -> Iterator[Real]:
    """Yield shuffled minibatches indefinitely, of torchvision's MNIST or of `SampleDataset`."""
    size, labelled = config.data.batch_size, data.labelled_data()
    labelled_rows = None
    if labelled is not None:
        labelled_rows = _infinite_rows(len(labelled[1]), size, config.seed, "few")
    with TemporaryDirectory() as root:
        dataset: Dataset[Any]
        if isinstance(data, MNIST):
            scale = [transforms.Resize(data.config.size)] if data.config.size != 28 else []
            dataset = torchvision_mnist(Path(root), scale)
        else:
            dataset = SampleDataset(data)
        batches = DataLoader(dataset, size, shuffle=True, drop_last=True)
        while True:
            for samples, labels, *source in batches:
                labelled_batch = None
                if labelled is not None and labelled_rows is not None:
                    chosen = next(labelled_rows)
                    images = _scale_images(labelled[0][chosen]).contiguous()
                    labelled_batch = (images, labelled[1][chosen])
                yield Real(samples, labels, source[0] if source else None, labelled_batch)


class SampleDataset(Dataset[Any]):
    """A map-style dataset over the training data, as in a tutorial.

    Items are (sample, label), or (sample, label, source) for image-to-image translation. Images are
    float32 (C, H, W) in [-1, 1]; the label is 0 where the data have none.
    """

    def __init__(self, data: BaseDataModule) -> None:
        self._data, self._labels = data.training_data()
        self._source = data.source_data()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._data)

    def __getitem__(self, row: int) -> tuple[Tensor | int, ...]:
        """Return one item."""
        sample = self._scaled(self._data, row)
        label = 0 if self._labels is None else int(self._labels[row])
        if self._source is None:
            return sample, label
        return sample, label, self._scaled(self._source, row)

    @staticmethod
    def _scaled(rows: IndexableData, row: int) -> Tensor:
        return _scale_images(rows[torch.tensor([row])])[0].contiguous()


def torchvision_mnist(root: Path, scale: Sequence[Any]) -> Dataset[Any]:
    """Open the embedded digits with torchvision's MNIST dataset, from files under `root`."""
    unpack_digits(root)
    steps = [*scale, transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    digits: Dataset[Any] = datasets.MNIST(root, train=True, transform=transforms.Compose(steps))
    return digits


def unpack_digits(root: Path) -> None:
    """Unpack the embedded digits into the directory layout that torchvision's MNIST expects."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in loader.MD5:
        packed = (loader.FOLDER / f"{name}.xz").read_bytes()
        (raw / name).write_bytes(lzma.decompress(packed))
