"""What the players themselves say: scores, slopes and weights of a discriminator."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import CatMetric

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.gans.parameters import parameters
from gan_lightning.networks.minibatch import Pack
from gan_lightning.types import Condition

__all__ = ["Divergence", "discriminator_weights", "equilibrium", "weights_at_bound"]

AT_BOUND = 0.99
POINTS = 100


class Divergence:
    """The distance of real and generated data as the discriminator of a GAN estimates it.

    The scores of all processes are brought together, so the estimate is that of one process. They
    are of evaluation mode: a discriminator with batch norm judges by its running statistics, which
    mix real and generated data, and its estimate is then poor.

    Args:
        gan: whose discriminator estimates; its `divergence` says what.

    Attributes:
        wanted: whether it estimates anything.
    """

    def __init__(self, gan: GAN) -> None:
        self._gan = gan
        self.wanted = bool(gan.divergence(torch.zeros(1), torch.zeros(1)))
        self._real, self._fake = (CatMetric("disable").to(gan.device) for _ in range(2))

    def update(self, data: Tensor, given: Condition, *, real: bool) -> None:
        """Take in data (N, *shape), real or generated, with what a conditional GAN is told."""
        if self.wanted:
            side = self._real if real else self._fake
            side.update(discriminated(self._gan, data, given))

    def compute(self) -> dict[str, float]:
        """Return the estimates by name; none where a side has too little data for a score."""
        if not self.wanted:
            return {}
        scores = [torch.as_tensor(side.compute()) for side in (self._real, self._fake)]
        if not all(side.numel() for side in scores):
            return {}
        return {name: value.item() for name, value in self._gan.divergence(*scores).items()}


@torch.no_grad()
def discriminated(gan: GAN, data: Tensor, given: Condition | None = None) -> Tensor:
    """Return a discriminator's scores in evaluation mode, float32.

    Args:
        gan: whose weights and modes stay as they were.
        data: (N, *shape); where the discriminator packs, what does not fill a pack is left out.
        given: what a conditional discriminator is told of them.

    Returns:
        (N,), or (N // m,) with packs of m.
    """
    whole = len(data) - len(data) % pack_size(gan)
    if whole == 0:
        return torch.zeros(0, device=gan.device)
    with evaluation_mode(gan):
        scores = gan.discriminate(data[:whole], None if given is None else given[:whole])
    return scores.float()


def pack_size(gan: GAN) -> int:
    """Return how many data the discriminator judges together."""
    return max((part.size for part in gan.modules() if isinstance(part, Pack)), default=1)


def equilibrium(gan: GAN) -> dict[str, float]:
    """Measure how far the players of the Dirac GAN stand from their equilibrium.

    Theta is the mean of the generated points, psi the discriminator's slope D(1) - D(0): with the
    dirac networks they are the players' only numbers, and others have them too.

    Args:
        gan: with data of shape (1,).

    Returns:
        equilibrium/theta, equilibrium/psi, and equilibrium/distance, the root of their squares.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), section 2.
    """
    seed = derived_seed(gan.seed, "equilibrium")
    theta = gan.sample(POINTS, seed=seed).data.double().mean().item()
    ones = torch.ones(pack_size(gan), 1, device=gan.device)
    scores = [discriminated(gan, points).double().mean().item() for points in (ones, 0 * ones)]
    psi = scores[0] - scores[1]
    return {
        "equilibrium/distance": math.hypot(theta, psi),
        "equilibrium/theta": theta,
        "equilibrium/psi": psi,
    }


def discriminator_weights(gan: GAN) -> Tensor:
    """Return all weights of a discriminator's matrices and convolutions in one vector, detached.

    Biases and what normalises are left out.
    """
    weights = [
        parameter.detach().flatten()
        for parameter in parameters(gan.discriminator_players())
        if parameter.ndim > 1
    ]
    return torch.cat(weights) if weights else torch.zeros(0)


def weights_at_bound(gan: GAN) -> dict[str, float]:
    """Measure how many weights of a critic lie at their largest magnitude.

    Returns:
        critic/weights_at_bound: share of |w| >= 0.99 max |w|, in (0, 1]; 1 where clipping has
        driven all weights to its bounds. Nothing where there are no weights.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), figure 1b.
    """
    sizes = discriminator_weights(gan).abs()
    if not sizes.numel():
        return {}
    return {"critic/weights_at_bound": (sizes >= AT_BOUND * sizes.max()).double().mean().item()}
