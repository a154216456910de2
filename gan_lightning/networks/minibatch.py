"""What lets a discriminator see more than one datum at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_lightning.distributed.collectives import all_gather

__all__ = ["MinibatchDiscrimination", "Pack"]


class Pack(nn.Module):
    """Lays neighbours in the minibatch side by side, so that they are judged as one.

    A process packs the data of its own part of the global minibatch, which packs never straddle:
    the packs are those that one process would make.

    Args:
        size: m, data in a pack.

    Source: Lin et al. 2018 (PacGAN, arXiv:1712.04086), section 2.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, data: Tensor) -> Tensor:
        """Map (N, C, ...) to (N / m, m C, ...).

        Raises:
            ValueError: the minibatch does not fill its packs.
        """
        if len(data) % self.size:
            raise ValueError(
                f"a minibatch of {len(data)} does not fill packs of {self.size}: set "
                f"data.batch_size to a multiple of network.packing (and of the processes)"
            )
        packed: Tensor = data.unflatten(0, (-1, self.size)).flatten(1, 2)
        return packed

    def extra_repr(self) -> str:
        """Show the size."""
        return f"size={self.size}"


class MinibatchDiscrimination(nn.Module):
    """Adds to each datum's features how close it lies to the others of its minibatch.

    Features f(x_i) become vectors M_ib = f(x_i) T_b; kernel b adds o_b(x_i), the mean over j of
    exp(-|M_ib - M_jb|_1). A process compares the data of its own part of the global minibatch, or,
    in training, each of them with the whole of it.

    Args:
        features: A, length of f(x).
        kernels: B, numbers added.
        dimensions: C, of the space in which a kernel compares.
        of_all: compare with the data of all processes.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 3.2.
    Deviations: the mean over the other data, not the sum over all: it does not grow with the
        minibatch, and leaves out the comparison with itself, which is 1.
    """

    def __init__(self, features: int, kernels: int, dimensions: int, of_all: bool = False) -> None:
        super().__init__()
        self.of_all = of_all
        self.projection = nn.Linear(features, kernels * dimensions, bias=False)
        nn.init.normal_(self.projection.weight, std=features**-0.5)
        self.dimensions = dimensions

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, A) to (N, A + B); the closeness lies in [0, 1]."""
        vectors = self.projection(features).unflatten(1, (-1, self.dimensions)).float()
        others = all_gather(vectors) if self.of_all else vectors
        # (N, M, B): one dimension at a time, since all at once needs C times the memory
        columns = zip(vectors.unbind(dim=2), others.unbind(dim=2), strict=True)
        distances = sum((own[:, None] - other[None]).abs() for own, other in columns)
        assert isinstance(distances, Tensor)
        closeness = (torch.exp(-distances).sum(dim=1) - 1) / max(1, len(others) - 1)
        return torch.cat([features, closeness.to(features.dtype)], dim=1)
