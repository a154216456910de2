"""Layers through which a discriminator compares several samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_lightning.distributed.collectives import all_gather

__all__ = ["MinibatchDiscrimination", "Pack"]


class Pack(nn.Module):
    """Concatenates neighbouring samples of the minibatch into packs, which are scored jointly.

    Each process packs the samples of its own part of the global minibatch. As no pack crosses a
    boundary between processes, the packs are the same as those of a single process.

    Args:
        size: m, samples per pack.

    Source: Lin et al. 2018 (PacGAN, arXiv:1712.04086), section 2.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, data: Tensor) -> Tensor:
        """Map (N, C, ...) to (N / m, m C, ...).

        Raises:
            ValueError: the size of the minibatch is no multiple of m.
        """
        if len(data) % self.size:
            raise ValueError(
                f"a minibatch of {len(data)} does not fill packs of {self.size}; set "
                f"data.batch_size to a multiple of network.packing (and of the processes)"
            )
        packed: Tensor = data.unflatten(0, (-1, self.size)).flatten(1, 2)
        return packed

    def extra_repr(self) -> str:
        """Return the size, for the module's repr."""
        return f"size={self.size}"


class MinibatchDiscrimination(nn.Module):
    """Appends to each sample's features its closeness to the other samples of the minibatch.

    Features f(x_i) are projected to vectors M_ib = f(x_i) T_b; kernel b appends o_b(x_i), the mean
    over j != i of exp(-|M_ib - M_jb|_1). Each process compares the samples of its own part of the
    global minibatch with each other, or, with `sync` in training, with the complete minibatch.

    Args:
        features: A, size of f(x).
        kernels: B, number of appended features.
        dimensions: C, dimension of the vectors that a kernel compares.
        sync: compare with the samples of all processes.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 3.2.
    Deviations: the mean over the other samples instead of the sum over all, so that it does not
        grow with the minibatch and excludes the comparison of a sample with itself, which is 1.
    """

    def __init__(self, features: int, kernels: int, dimensions: int, sync: bool = False) -> None:
        super().__init__()
        self.sync = sync
        self.projection = nn.Linear(features, kernels * dimensions, bias=False)
        nn.init.normal_(self.projection.weight, std=features**-0.5)
        self.dimensions = dimensions

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, A) to (N, A + B); the closeness lies in [0, 1]."""
        vectors = self.projection(features).unflatten(1, (-1, self.dimensions)).float()
        others = all_gather(vectors) if self.sync else vectors
        # (N, M, B), one dimension at a time: all at once would need C times the memory
        columns = zip(vectors.unbind(dim=2), others.unbind(dim=2), strict=True)
        distances = sum((own[:, None] - other[None]).abs() for own, other in columns)
        assert isinstance(distances, Tensor)
        closeness = (torch.exp(-distances).sum(dim=1) - 1) / max(1, len(others) - 1)
        return torch.cat([features, closeness.to(features.dtype)], dim=1)
