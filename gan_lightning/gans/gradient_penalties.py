"""Penalties on the gradient of a discriminator with respect to its input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import grad

from gan_lightning.core.compile import eager_mode
from gan_lightning.distributed.collectives import all_reduce_mean, shared_normal, shared_uniform
from gan_lightning.losses import at_least_float32

__all__ = [
    "dragan_penalty",
    "gradient_norms",
    "gradient_penalty",
    "interpolate",
    "perturb",
    "r1",
    "r2",
    "squared_gradient_norms",
]


def r1(discriminate: Callable[[Tensor], Tensor], real: Tensor, step: float | None = None) -> Tensor:
    """Return half the mean squared norm of the discriminator's gradient at real samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        real: real samples, (N, *shape).
        step: of the finite differences that estimate the norm; None computes it exactly.

    Returns:
        Scalar, at least 0; twice differentiable where it is exact.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), equation 9, without gamma.
    Deviations: in training the samples are those that the discriminator is given: with augmentation
        or instance noise the gradient is that at the changed sample, and with respect to it. Code
        of later papers differentiates with respect to the image before its augmentation.
    """
    return 0.5 * squared_gradient_norms(discriminate, real, step).mean()


def r2(discriminate: Callable[[Tensor], Tensor], fake: Tensor, step: float | None = None) -> Tensor:
    """Return half the mean squared norm of the discriminator's gradient at generated samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        fake: generated samples, (N, *shape).
        step: of the finite differences that estimate the norm; None computes it exactly.

    Returns:
        Scalar, at least 0; twice differentiable where it is exact.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), equation 10, without gamma.
    Deviations: as those of `r1`.
    """
    return 0.5 * squared_gradient_norms(discriminate, fake, step).mean()


def gradient_penalty(
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    one_sided: bool = False,
    norm: float = 1.0,
) -> Tensor:
    """Return the mean of (|grad D| - k)^2 at random points between real and generated samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        real: real samples, (N, *shape).
        fake: generated samples, (N, *shape).
        one_sided: whether norms below k are not penalised.
        norm: k, the norm without penalty.

    Returns:
        Scalar, at least 0, twice differentiable.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3, without lambda; one-sided:
        Petzka, Fischer, Lukovnikov 2018 (arXiv:1709.08894).
    """
    return _norm_penalty(discriminate, interpolate(real, fake), one_sided, norm)


def dragan_penalty(
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    one_sided: bool = False,
    norm: float = 1.0,
) -> Tensor:
    """Return the mean of (|grad D| - k)^2 at random points near real samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        real: real samples, (N, *shape).
        one_sided: whether norms below k are not penalised.
        norm: k, the norm without penalty.

    Returns:
        Scalar, at least 0, twice differentiable.

    Source: Kodali et al. 2017 (arXiv:1705.07215), without lambda, at the points of `perturb`.
    """
    return _norm_penalty(discriminate, perturb(real), one_sided, norm)


def _norm_penalty(
    discriminate: Callable[[Tensor], Tensor], points: Tensor, one_sided: bool, norm: float
) -> Tensor:
    """Return the mean squared difference of the gradient norms at some points from k."""
    excess = gradient_norms(discriminate, points) - norm
    if one_sided:
        excess = excess.relu()
    return excess.square().mean()


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """Return a uniformly random point between each real sample and a generated one, (N, *shape)."""
    position = shared_uniform(len(real), real.device).view(-1, *[1] * (real.ndim - 1))
    real, fake = at_least_float32(real), at_least_float32(fake)
    return torch.lerp(real, fake, position.to(real.dtype))


def perturb(real: Tensor) -> Tensor:
    """Return a random point near each real sample, (N, *shape), for DRAGAN's penalty.

    The point is x + a s / 2 u: s is the standard deviation of all values of the global minibatch; u
    is uniform on [0, 1), a number for each coordinate, and a, too, a number for each sample.

    Source: Kodali et al. 2017 (arXiv:1705.07215); the distribution is that of the authors' code
        (github.com/kodalinaveen3/DRAGAN).
    Deviations: the paper writes Gaussian noise of a fixed variance, and no a; the noise of the
        code, and so of this function, is never negative. With accumulated gradients s is that of a
        part of the minibatch.
    """
    real = at_least_float32(real)
    moments = all_reduce_mean(torch.stack([real.mean(), real.square().mean()]))
    deviation = (moments[1] - moments[0].square()).clamp_min(0).sqrt()
    noise = shared_uniform(real.numel(), real.device).view(real.shape)
    share = shared_uniform(len(real), real.device).view(-1, *[1] * (real.ndim - 1))
    return real + share * (0.5 * deviation * noise)


def gradient_norms(discriminate: Callable[[Tensor], Tensor], data: Tensor) -> Tensor:
    """Return the norm of each score's gradient with respect to its sample, in float32.

    Args:
        discriminate: maps samples (N, *shape) to scores: (N,); (N / m,) where it packs m samples,
            whose norm is then that of the pack; or several per sample, of which the gradient of the
            sum is taken.
        data: samples, (N, *shape); their graph is kept.

    Returns:
        Norms with their graph, one per sample or pack.
    """
    data = at_least_float32(data)
    # the weights of an unrolled discriminator depend on generated samples, too; the gradient with
    # respect to a view of the samples leaves that path out
    data = data.view_as(data) if data.requires_grad else data.detach().requires_grad_(True)
    with eager_mode(), torch.autocast(data.device.type, enabled=False), torch.enable_grad():
        scores = discriminate(data)
        (gradient,) = grad(scores.sum(), data, create_graph=True)
    norms: Tensor = gradient.reshape(min(len(scores), len(data)), -1).norm(dim=1)
    return norms


def squared_gradient_norms(
    discriminate: Callable[[Tensor], Tensor], data: Tensor, step: float | None
) -> Tensor:
    """Return the squared norm of each score's gradient, exactly or by finite differences.

    The estimate is the squared central difference of the score along one direction v from
    N(0, step^2 I) for each sample, divided by step^2. Its mean over v is the squared norm, up to
    O(step^2); its standard deviation for one sample is sqrt(2) times the squared norm. It takes two
    evaluations of the discriminator and no second derivative.

    Args:
        discriminate: as for `gradient_norms`; without random layers where the norm is estimated.
        data: samples, (N, *shape); their graph is kept.
        step: standard deviation of each coordinate of v; None for exact norms.

    Returns:
        Squared norms with their graph, one per sample or pack.
    """
    if step is None:
        return gradient_norms(discriminate, data).square()
    data = at_least_float32(data)
    direction = step * shared_normal(data.shape, data.device)
    with torch.autocast(data.device.type, enabled=False):
        difference = (discriminate(data + direction) - discriminate(data - direction)) / (2 * step)
    squares: Tensor = difference.reshape(min(len(difference), len(data)), -1).sum(1).square()
    return squares
