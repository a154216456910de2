"""Metrics of a discriminator: its divergence estimate, its weights, the Dirac equilibrium."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics.aggregation import CatMetric

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import GANEvaluator
from gan_lightning.evaluation.batching import iterate_test_data
from gan_lightning.gans import GAN
from gan_lightning.gans.parameters import parameters
from gan_lightning.networks.minibatch import Pack
from gan_lightning.types import Condition, Sample

__all__ = [
    "DivergenceEvaluator",
    "EquilibriumEvaluator",
    "WeightBoundEvaluator",
    "discriminator_scores",
    "discriminator_weights",
    "distance_to_equilibrium",
    "weights_at_bound",
]

BOUND_FRACTION = 0.99
EQUILIBRIUM_POINTS = 100


class DivergenceEvaluator(GANEvaluator):
    """Estimates the divergence between real and generated data by the discriminator of a GAN.

    The scores of all processes are gathered, so the estimate is that of a single process. They are
    computed in evaluation mode: a discriminator with batch norm then uses running statistics, which
    mix real and generated data, and the estimate is poor.

    Args:
        gan: the model; its `estimate_divergence` computes the estimate from scores.
        data: its dataset, whose test data are the real side.
        shard: this process's part of the work.

    Attributes:
        is_defined: whether the GAN's objective defines an estimate.
    """

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data, self._shard = gan, data, shard
        self.is_defined = bool(gan.estimate_divergence(torch.zeros(1), torch.zeros(1)))
        self._real, self._fake = (CatMetric("disable").to(gan.device) for _ in range(2))

    def update(self, sample: Sample, first_index: int = 0) -> None:
        """Add generated samples."""
        if self.is_defined:
            self._fake.update(discriminator_scores(self._gan, sample.data, sample.condition))

    def compute(self) -> dict[str, float]:
        """Return the estimates by name; none if a side has too few samples for a score."""
        if not self.is_defined:
            return {}
        for real in iterate_test_data(self._data, self._gan.device, self._shard):
            self._real.update(discriminator_scores(self._gan, real.data, real.condition))
        scores = [torch.as_tensor(side.compute()) for side in (self._real, self._fake)]
        if not all(side.numel() for side in scores):
            return {}
        return {
            name: value.item() for name, value in self._gan.estimate_divergence(*scores).items()
        }


@torch.no_grad()
def discriminator_scores(gan: GAN, samples: Tensor, condition: Condition | None = None) -> Tensor:
    """Compute a discriminator's scores in evaluation mode, float32.

    Args:
        gan: the model; its weights and modes are unchanged.
        samples: (N, *shape); with packing, samples that do not fill a pack are ignored.
        condition: input of a conditional discriminator.

    Returns:
        (N,), or (N // m,) with packs of m.
    """
    count = len(samples) - len(samples) % pack_size(gan)
    if count == 0:
        return torch.zeros(0, device=gan.device)
    with evaluation_mode(gan):
        scores = gan.discriminate(samples[:count], None if condition is None else condition[:count])
    return scores.float()


def pack_size(gan: GAN) -> int:
    """Return the number of samples that the discriminator scores jointly."""
    return max((module.size for module in gan.modules() if isinstance(module, Pack)), default=1)


def distance_to_equilibrium(gan: GAN) -> dict[str, float]:
    """Compute the distance of the players of the Dirac GAN from their equilibrium.

    Theta is the mean of the generated points, psi the discriminator's slope D(1) - D(0), in D
    dimensions its vector of D(e_i) - D(0). With the dirac and bilinear networks these are the
    players' parameters, but they are defined for other networks too.

    Args:
        gan: a GAN on data of shape (D,).

    Returns:
        equilibrium/theta, equilibrium/psi, and equilibrium/distance, the norm of (theta, psi). In
        more than one dimension the first two are norms.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), section 2.
    """
    (dimensions,) = gan.data.shape
    seed = derived_seed(gan.seed, "equilibrium")
    samples = gan.sample(EQUILIBRIUM_POINTS, seed=seed).data.double()
    theta = [coordinate.mean().item() for coordinate in samples.unbind(1)]
    points = torch.cat([torch.eye(dimensions), torch.zeros(1, dimensions)]).to(gan.device)
    *at_ones, at_zero = (_mean_score(gan, point) for point in points)
    psi = [at_one - at_zero for at_one in at_ones]
    if dimensions == 1:
        (first,), (second,) = theta, psi
    else:
        first, second = math.hypot(*theta), math.hypot(*psi)
    return {
        "equilibrium/distance": math.hypot(first, second),
        "equilibrium/theta": first,
        "equilibrium/psi": second,
    }


def _mean_score(gan: GAN, point: Tensor) -> float:
    """Return the mean score of a pack of one point, (D,)."""
    packed = point.expand(pack_size(gan), -1)
    return discriminator_scores(gan, packed).double().mean().item()


class EquilibriumEvaluator(GANEvaluator):
    """Computes the distance of the players of the Dirac GAN from their equilibrium."""

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan = gan

    def compute(self) -> dict[str, float]:
        """Return the distance and both players' coordinates, see `distance_to_equilibrium`."""
        return distance_to_equilibrium(self._gan)


class WeightBoundEvaluator(GANEvaluator):
    """Computes the fraction of a critic's weights at their bound."""

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan = gan

    def compute(self) -> dict[str, float]:
        """Return the fraction, see `weights_at_bound`."""
        return weights_at_bound(self._gan)


def discriminator_weights(gan: GAN) -> Tensor:
    """Return the weights of a discriminator's matrices and convolutions as one detached vector.

    Biases and parameters of normalisation layers are excluded.
    """
    weights = [
        parameter.detach().flatten()
        for parameter in parameters(gan.discriminator_players())
        if parameter.ndim > 1
    ]
    return torch.cat(weights) if weights else torch.zeros(0)


def weights_at_bound(gan: GAN) -> dict[str, float]:
    """Compute the fraction of a critic's weights that have the largest magnitude.

    Returns:
        critic/weights_at_bound: fraction with |w| >= 0.99 max |w|, in (0, 1]; 1 if clipping has
        moved all weights to its bounds. Nothing if there are no weights.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), figure 1b.
    """
    magnitudes = discriminator_weights(gan).abs()
    if not magnitudes.numel():
        return {}
    at_bound = magnitudes >= BOUND_FRACTION * magnitudes.max()
    return {"critic/weights_at_bound": at_bound.double().mean().item()}
