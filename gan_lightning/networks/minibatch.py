"""Layers through which a discriminator compares several samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_lightning.distributed.collectives import all_gather, all_reduce_mean
from gan_lightning.losses import at_least_float32

__all__ = ["MINIBATCH_LAYERS", "MeanMinibatchDiscrimination", "MinibatchDiscrimination", "Pack"]

SMALLEST = 1e-6
"""Lower bound of the mean nearest distance, which is 0 where all samples are equal."""


class Pack(nn.Module):
    """Concatenates neighbouring samples of the minibatch into packs, which are scored jointly.

    Each process packs the samples of its own part of the global minibatch. As no pack crosses a
    boundary between processes, the packs are the same as those of a single process.

    Args:
        size: m, samples per pack.

    Source: Lin et al. 2018 (PacGAN, arXiv:1712.04086), section 2.
    Deviations: the players step in turn; the authors' code for points in the plane steps both at
        once, from the same weights, and that for stacked MNIST steps the generator twice.
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

    Features f(x_i) are projected to vectors M_ib = f(x_i) T_b; kernel b appends o_b(x_i) + bias_b,
    where o_b(x_i) is the sum over j != i of exp(-|M_ib - M_jb|_1). The columns of T are
    weight-normalised: a direction, and a scale whose logarithm is learned. Each process compares
    the samples of its own part of the global minibatch with each other, or, with `sync` in
    training, with the complete minibatch.

    The first forward pass in training sets the scale of each kernel so that the mean distance of a
    sample to its nearest neighbour is 2, and the bias to minus the mean of o_b; with several
    processes the means are those over all of them. All of it is in the state_dict.

    Args:
        features: A, size of f(x).
        kernels: B, number of appended features.
        dimensions: C, dimension of the vectors that a kernel compares.
        sync: compare with the samples of all processes.

    Attributes:
        others: number of other samples in the first minibatch; 0 before it.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 3.2, and the authors' code
        (github.com/openai/improved-gan, mnist_svhn_cifar10/nn.py): half the mean nearest distance
        is 1 after the initialisation, and the bias is -1 before it.
    Deviations: the first minibatch is that of the training, in most GANs of real samples; the code
        takes 500 real images before the training. The closeness in a minibatch with other than
        `others` + 1 samples is the mean times `others`, so that scores in evaluation are
        comparable with those in training. It is computed in float32 under autocast, too.
    """

    def __init__(self, features: int, kernels: int, dimensions: int, sync: bool = False) -> None:
        super().__init__()
        self.sync = sync
        self.direction = nn.Parameter(0.05 * torch.randn(kernels * dimensions, features))
        self.log_scale = nn.Parameter(torch.zeros(kernels, dimensions))
        self.bias = nn.Parameter(-torch.ones(kernels))
        self.others: Tensor
        self.register_buffer("others", torch.tensor(0))
        # in Python too: a look at the buffer of a GPU would wait for it in every forward pass
        self._is_initialised = False
        self.register_load_state_dict_post_hook(_note_initialisation)  # type: ignore[no-untyped-call]

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, A) to (N, A + B)."""
        with torch.autocast(features.device.type, enabled=False):
            if self.training and not self._is_initialised:
                self._initialise(features)
            distances = self._distances(features)
            others = distances.shape[1] - 1
            weight = torch.where(self.others > 0, self.others / max(1, others), 1.0)
            closeness = weight * _total_closeness(distances) + at_least_float32(self.bias)
        return torch.cat([features, closeness.to(features.dtype)], dim=1)

    def _distances(self, features: Tensor) -> Tensor:
        """Return the distances of the projected samples, (N, M, B), in float32."""
        direction, scale = at_least_float32(self.direction), at_least_float32(self.log_scale).exp()
        tensor = direction * (scale.view(-1, 1) / direction.norm(dim=1, keepdim=True))
        return _distances(
            linear(at_least_float32(features), tensor), self.log_scale.shape[1], self.sync
        )

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def _initialise(self, features: Tensor) -> None:
        """Set the scale and the bias by a minibatch; one of a single sample leaves them."""
        distances = self._distances(features)
        if distances.shape[1] < 2:
            return
        # the nearest sample is the sample itself
        nearest = distances.topk(2, dim=1, largest=False).values[:, 1]
        half = 0.5 * all_reduce_mean(nearest.mean(0)).clamp_min(SMALLEST)
        self.log_scale.sub_(half.log()[:, None])
        self.bias.copy_(-all_reduce_mean(_total_closeness(distances / half).mean(0)))
        self.others.fill_(distances.shape[1] - 1)
        self._is_initialised = True


def _note_initialisation(layer: nn.Module, _: Any) -> None:
    """Note after the loading of a state_dict whether it has an initialised layer."""
    assert isinstance(layer, MinibatchDiscrimination)
    layer._is_initialised = bool(layer.others > 0)


class MeanMinibatchDiscrimination(nn.Module):
    """Minibatch discrimination by the mean closeness, without scale and bias, for earlier runs.

    Kernel b appends the mean over j != i of exp(-|M_ib - M_jb|_1), which lies in [0, 1]. With
    many features the distances are so large that it hardly differs from 0; see
    `MinibatchDiscrimination` for the arguments and the source.
    """

    def __init__(self, features: int, kernels: int, dimensions: int, sync: bool = False) -> None:
        super().__init__()
        self.sync = sync
        self.projection = nn.Linear(features, kernels * dimensions, bias=False)
        nn.init.normal_(self.projection.weight, std=features**-0.5)
        self.dimensions = dimensions

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, A) to (N, A + B)."""
        distances = _distances(
            at_least_float32(self.projection(features)), self.dimensions, self.sync
        )
        closeness = _total_closeness(distances) / max(1, distances.shape[1] - 1)
        return torch.cat([features, closeness.to(features.dtype)], dim=1)


MINIBATCH_LAYERS = {
    "salimans": MinibatchDiscrimination,
    "mean": MeanMinibatchDiscrimination,
}
"""Layers of minibatch discrimination by name."""


def _distances(projected: Tensor, dimensions: int, sync: bool) -> Tensor:
    """Return the L1 distances of N samples to M samples in each kernel, (N, M, B).

    Args:
        projected: (N, B C).
        dimensions: C.
        sync: whether the M samples are those of all processes, instead of the N.
    """
    vectors = projected.unflatten(1, (-1, dimensions))
    others = all_gather(vectors) if sync else vectors
    # one dimension at a time: all at once would need C times the memory
    columns = zip(vectors.unbind(dim=2), others.unbind(dim=2), strict=True)
    distances = sum((own[:, None] - other[None]).abs() for own, other in columns)
    assert isinstance(distances, Tensor)
    return distances


def _total_closeness(distances: Tensor) -> Tensor:
    """Return the sum over the other samples of exp(-distance), (N, B)."""
    return torch.exp(-distances).sum(dim=1) - 1  # the closeness of a sample to itself
