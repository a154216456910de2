"""How the loops by hand read their data: rows in memory, or a tutorial's DataLoader."""

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
from gan_lightning.data import MNIST, IndexedData
from gan_lightning.data.round_loader import IndexableData

__all__ = [
    "minibatches_of",
    "moved",
    "on_device",
    "rounds_of_rows",
    "tutorial_batches",
    "unpack_digits",
]


def minibatches_of(config: RunConfig) -> int:
    """Count the minibatches of a round: the discriminator's steps."""
    steps: int = getattr(config.model, "discriminator_steps", 1)
    return steps


def rounds_of_rows(data: IndexedData, config: RunConfig) -> Iterator[list[Real]]:
    """Yield rounds of held data, without end: rows of one permutation after another."""
    everything, labels = data.training_data()
    source, few = data.source_data(), data.labelled_data()
    size, known = config.data.batch_size, data.model_spec.classes is not None
    rows = _endless_rows(len(everything), size, config.seed, "order", whole_batches=True)
    few_rows = _endless_rows(len(few[1]), size, config.seed, "labelled order") if few else None
    while True:
        minibatches = []
        for _ in range(minibatches_of(config)):
            chosen = next(rows)
            beside = None
            if few is not None and few_rows is not None:
                among = next(few_rows)
                beside = (few[0][among], few[1][among])
            minibatches.append(
                Real(
                    everything[chosen],
                    labels[chosen] if labels is not None and known else None,
                    None if source is None else source[chosen],
                    beside,
                )
            )
        yield minibatches


def _endless_rows(
    count: int, size: int, seed: int, name: str, whole_batches: bool = False
) -> Iterator[Tensor]:
    """Yield `size` rows at a time, of permutations that are a function of the seed."""
    left, epoch = torch.empty(0, dtype=torch.long), 0
    while True:
        while len(left) < size:
            rng = torch.Generator().manual_seed(derived_seed(seed, name, epoch))
            order = torch.randperm(count, generator=rng)
            left, epoch = (order if whole_batches else torch.cat([left, order])), epoch + 1
        yield left[:size]
        left = left[size:]


def on_device(real: Real, device: torch.device) -> Real:
    """Take held data to the device, and scale images there."""
    data, labels, source, few = moved(real, device)
    return Real(
        _scaled(data),
        labels,
        None if source is None else _scaled(source),
        None if few is None else (_scaled(few[0]), few[1]),
    )


def moved(real: Real, device: torch.device) -> Real:
    """Take a minibatch to the device as it is."""
    data, labels, source, few = real
    return Real(
        data.to(device),
        None if labels is None else labels.to(device),
        None if source is None else source.to(device),
        None if few is None else (few[0].to(device), few[1].to(device)),
    )


def _scaled(held: Tensor) -> Tensor:
    """Scale images, uint8 (N, H, W, C), to [-1, 1], (N, C, H, W); points stay as they are."""
    if held.dtype != torch.uint8:
        return held
    return held.float().div_(127.5).sub_(1).movedim(-1, -3)


def tutorial_batches(data: IndexedData, config: RunConfig) -> Iterator[Real]:
    """Yield shuffled batches without end: torchvision's MNIST, or a Dataset of single data."""
    size, few = config.data.batch_size, data.labelled_data()
    few_rows = None if few is None else _endless_rows(len(few[1]), size, config.seed, "few")
    with TemporaryDirectory() as root:
        dataset: Dataset[Any]
        if isinstance(data, MNIST):
            scale = [transforms.Resize(data.config.size)] if data.config.size != 28 else []
            dataset = torchvision_mnist(Path(root), scale)
        else:
            dataset = SingleData(data)
        batches = DataLoader(dataset, size, shuffle=True, drop_last=True)
        while True:
            for datum, label, *source in batches:
                beside = None
                if few is not None and few_rows is not None:
                    among = next(few_rows)
                    beside = (_scaled(few[0][among]).contiguous(), few[1][among])
                yield Real(datum, label, source[0] if source else None, beside)


class SingleData(Dataset[Any]):
    """Held data one by one, as a tutorial's Dataset gives them: datum, label, source."""

    def __init__(self, data: IndexedData) -> None:
        self._data, self._labels = data.training_data()
        self._source = data.source_data()

    def __len__(self) -> int:
        """Count the data."""
        return len(self._data)

    def __getitem__(self, row: int) -> tuple[Tensor | int, ...]:
        """Return one datum in [-1, 1] or as a point, its label or 0, and its source if any."""
        datum = self._one(self._data, row)
        label = 0 if self._labels is None else int(self._labels[row])
        return (
            (datum, label) if self._source is None else (datum, label, self._one(self._source, row))
        )

    @staticmethod
    def _one(rows: IndexableData, row: int) -> Tensor:
        return _scaled(rows[torch.tensor([row])])[0].contiguous()


def torchvision_mnist(root: Path, scale: Sequence[Any]) -> Dataset[Any]:
    """Open the embedded digits by torchvision's class, from files in a folder."""
    unpack_digits(root)
    steps = [*scale, transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    digits: Dataset[Any] = datasets.MNIST(root, train=True, transform=transforms.Compose(steps))
    return digits


def unpack_digits(root: Path) -> None:
    """Lay the embedded files out in a folder as torchvision's class wants them."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in loader.MD5:
        packed = (loader.FOLDER / f"{name}.xz").read_bytes()
        (raw / name).write_bytes(lzma.decompress(packed))
