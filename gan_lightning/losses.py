"""Losses of the adversarial game: pure functions on logits and tensors, computed in float32."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

__all__ = [
    "categorical_negative_log_likelihood",
    "discriminator_cross_entropy",
    "gaussian_negative_log_likelihood",
    "minimax_generator",
    "non_saturating_generator",
]


def discriminator_cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Negative discriminator objective -E[log D(x)] - E[log(1 - D(G(z)))], to be minimised.

    Args:
        real_logits: discriminator logits of real data, shape (N,), unbounded.
        fake_logits: discriminator logits of generated data, shape (M,), unbounded.

    Returns:
        Scalar in nats, at least 0; 2 log 2 where the discriminator cannot tell the two apart.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), equation 1.
    """
    return softplus(-real_logits.float()).mean() + softplus(fake_logits.float()).mean()


def minimax_generator(fake_logits: Tensor) -> Tensor:
    """Generator objective E[log(1 - D(G(z)))] of the zero-sum game, to be minimised.

    Its gradient vanishes where the discriminator is sure that the data is generated.

    Args:
        fake_logits: discriminator logits of generated data, shape (N,), unbounded.

    Returns:
        Scalar in nats, at most 0 and unbounded below.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), equation 1.
    """
    return -softplus(fake_logits.float()).mean()


def non_saturating_generator(fake_logits: Tensor) -> Tensor:
    """Generator objective -E[log D(G(z))], to be minimised.

    It has the fixed point of the zero-sum game and a strong gradient where the discriminator wins.

    Args:
        fake_logits: discriminator logits of generated data, shape (N,), unbounded.

    Returns:
        Scalar in nats, at least 0.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 3.
    """
    return softplus(-fake_logits.float()).mean()


def categorical_negative_log_likelihood(logits: Tensor, codes: Tensor) -> Tensor:
    """Negative log-likelihood -E[log Q(c | x)] of a categorical code, to be minimised.

    Args:
        logits: unnormalised log-probabilities, shape (N, K), unbounded.
        codes: the true category, shape (N,), int64 in [0, K).

    Returns:
        Scalar in nats, at least 0; log K minus it bounds the mutual information from below where
        the code is uniform.

    Source: Chen et al. 2016 (arXiv:1606.03657), equation 5.
    """
    return cross_entropy(logits.float(), codes)


def gaussian_negative_log_likelihood(
    mean: Tensor, target: Tensor, log_variance: Tensor | None = None
) -> Tensor:
    """Negative log-likelihood -E[log N(target; mean, variance)], to be minimised.

    The constant log(2 pi) / 2 a dimension is kept, so that the value is a likelihood in nats.

    Args:
        mean: predicted means, shape (N, D), unbounded.
        target: observed values, shape (N, D), unbounded.
        log_variance: predicted log-variances, shape (N, D), unbounded; None fixes variance 1.

    Returns:
        Scalar in nats: the sum over the D dimensions, averaged over the batch.

    Source: Chen et al. 2016 (arXiv:1606.03657), equation 5, for a factored Gaussian.
    """
    squared_error = (target.float() - mean.float()).square()
    if log_variance is None:
        terms = squared_error
    else:
        terms = squared_error * (-log_variance.float()).exp() + log_variance.float()
    return 0.5 * (terms + math.log(2 * math.pi)).sum(dim=1).mean()
