"""Noise as data of any shape, for checks of GANs."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.data import BaseDataModule, DataConfig
from gan_lightning.types import Batch, DataSpec

__all__ = ["BATCH_SIZE", "SyntheticData"]

ROWS = 64
BATCH_SIZE = 8


class SyntheticData(BaseDataModule):
    """Noise with the shape, classes, sources and labelled subset of a spec.

    Args:
        spec: shape and classes, as a model is given them.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(DataConfig(batch_size=BATCH_SIZE))
        self.spec = spec

    @property
    def model_spec(self) -> DataSpec:
        """The spec itself."""
        return self.spec

    def training_data(self) -> tuple[Tensor, Tensor | None]:
        """Return 64 rows, and their classes where there are classes."""
        return _noise(self.spec.shape, seed=0), _cycle(self.spec.classes)

    def source_data(self) -> Tensor | None:
        """Return 64 sources, or None without sources."""
        source = self.spec.source_shape
        return None if source is None else _noise(source, seed=1)

    def labelled_data(self) -> tuple[Tensor, Tensor] | None:
        """Return 64 other rows with labels, or None without a labelled subset."""
        labels = _cycle(self.spec.labelled_classes)
        return None if labels is None else (_noise(self.spec.shape, seed=2), labels)

    def test_data(self) -> Batch:
        """Return one minibatch."""
        return self.minibatch()

    def minibatch(self) -> Batch:
        """Return a minibatch as a GAN gets it, (8, *shape), with its labelled minibatch."""
        data, labels = self.training_data()
        labelled = self.labelled_data()
        part = None
        if labelled is not None:
            part = Batch(labelled[0][:BATCH_SIZE], labelled[1][:BATCH_SIZE])
        source = self.source_data()
        batch = Batch(
            data[:BATCH_SIZE],
            None if labels is None else labels[:BATCH_SIZE],
            None if source is None else source[:BATCH_SIZE],
            part,
        )
        scaled: Batch = self.on_after_batch_transfer(batch, 0)
        return scaled


def _noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return points (64, D), or images uint8 (64, H, W, C)."""
    rng = torch.Generator().manual_seed(seed)
    if len(shape) != 3:
        return torch.randn(ROWS, *shape, generator=rng)
    channels, height, width = shape
    size = (ROWS, height, width, channels)
    return torch.randint(256, size, generator=rng, dtype=torch.uint8)


def _cycle(classes: int | None) -> Tensor | None:
    return None if classes is None else torch.arange(ROWS) % classes
