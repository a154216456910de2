"""Losses of the adversarial game: pure functions on logits and tensors, computed in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu, softplus

__all__ = [
    "OBJECTIVES",
    "Objective",
    "categorical_negative_log_likelihood",
    "discriminator_cross_entropy",
    "feature_matching",
    "gaussian_negative_log_likelihood",
    "hinge_discriminator",
    "least_squares_discriminator",
    "least_squares_generator",
    "margin_discriminator",
    "minimax_generator",
    "non_saturating_generator",
    "pulling_away",
    "shared_information",
    "wasserstein_critic",
    "wasserstein_generator",
]


SMALLEST = 1e-9
"""Probability under which two categories together count as that rare, so that its log is finite."""


def discriminator_cross_entropy(
    real_logits: Tensor, fake_logits: Tensor, real_label: float = 1.0
) -> Tensor:
    """Negative discriminator objective -E[log D(x)] - E[log(1 - D(G(z)))], to be minimised.

    Args:
        real_logits: discriminator logits of real data, shape (N,), unbounded.
        fake_logits: discriminator logits of generated data, shape (M,), unbounded.
        real_label: the probability that D is to give real data, in (0, 1]; below 1 it is one-sided
            label smoothing (Salimans et al. 2016, arXiv:1606.03498, section 3.4).

    Returns:
        Scalar in nats, at least 0; 2 log 2 where the discriminator cannot tell the two apart.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), equation 1.
    """
    real_logits = real_logits.float()
    real_loss = softplus(-real_logits).mean()
    if real_label < 1:  # softplus(x) = x + softplus(-x)
        real_loss = real_loss + (1 - real_label) * real_logits.mean()
    return real_loss + softplus(fake_logits.float()).mean()


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


def hinge_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Discriminator's hinge loss E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], to be minimised.

    The generator's part is `wasserstein_generator`.

    Args:
        real_scores: scores of real data, shape (N,), unbounded.
        fake_scores: scores of generated data, shape (M,), unbounded.

    Returns:
        Scalar, at least 0; 0 where every datum is on its side of the margin.

    Source: Lim, Ye 2017 (arXiv:1705.02894), section 3; Miyato et al. 2018 (arXiv:1802.05957),
        equation 16.
    """
    return relu(1 - real_scores.float()).mean() + relu(1 + fake_scores.float()).mean()


def least_squares_discriminator(
    real_scores: Tensor, fake_scores: Tensor, real_label: float = 1.0
) -> Tensor:
    """Discriminator's least-squares loss E[(D(x) - b)^2] / 2 + E[D(G(z))^2] / 2, to be minimised.

    Args:
        real_scores: scores of real data, shape (N,), unbounded.
        fake_scores: scores of generated data, shape (M,), unbounded.
        real_label: b, the score that real data is to have; generated data is to have 0.

    Returns:
        Scalar, at least 0.

    Source: Mao et al. 2017 (arXiv:1611.04076), equation 9.
    """
    real_loss = (real_scores.float() - real_label).square().mean()
    return 0.5 * (real_loss + fake_scores.float().square().mean())


def least_squares_generator(fake_scores: Tensor) -> Tensor:
    """Generator's least-squares loss E[(D(G(z)) - 1)^2] / 2, to be minimised.

    Args:
        fake_scores: scores of generated data, shape (N,), unbounded.

    Returns:
        Scalar, at least 0.

    Source: Mao et al. 2017 (arXiv:1611.04076), equation 9.
    """
    return 0.5 * (fake_scores.float() - 1).square().mean()


def shared_information(logits: Tensor, other_logits: Tensor) -> Tensor:
    """Information that the categories of data and those of the same data changed have in common.

    The joint distribution is the mean over data of the outer product of both softmaxes, made
    symmetric. It is largest, log K, where all K categories are equally frequent, and each datum is
    surely in the same one before and after the change.

    Args:
        logits: of K categories, shape (N, K).
        other_logits: of the same data changed, (N, K).

    Returns:
        Scalar in nats, at least 0 up to rounding, to be maximised.

    Source: Ji, Henriques, Vedaldi 2019 (arXiv:1807.06653), equations 2 and 3.
    """
    joint = logits.float().softmax(1).T @ other_logits.float().softmax(1) / len(logits)
    joint = ((joint + joint.T) / 2).clamp_min(SMALLEST)
    single = joint.sum(0).log()
    return (joint * (joint.log() - single[:, None] - single)).sum()


def wasserstein_critic(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Negative critic objective E[D(G(z))] - E[D(x)], to be minimised.

    Args:
        real_scores: critic scores of real data, shape (N,), unbounded.
        fake_scores: critic scores of generated data, shape (M,), unbounded.

    Returns:
        Scalar; minus it estimates the Wasserstein-1 distance up to the critic's Lipschitz constant.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), equation 3.
    """
    return fake_scores.float().mean() - real_scores.float().mean()


def wasserstein_generator(fake_scores: Tensor) -> Tensor:
    """Generator objective -E[D(G(z))], to be minimised.

    Args:
        fake_scores: critic scores of generated data, shape (N,), unbounded.

    Returns:
        Scalar, unbounded.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), algorithm 1, line 10.
    """
    return -fake_scores.float().mean()


class Objective(NamedTuple):
    """Both players' adversarial losses.

    Args:
        discriminator: (real scores, fake scores) to the discriminator's loss.
        generator: fake scores to the generator's loss.
        smooth: the discriminator's loss takes a `real_label`.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[[Tensor], Tensor]
    smooth: bool = False


OBJECTIVES: dict[str, Objective] = {
    "minimax": Objective(discriminator_cross_entropy, minimax_generator, smooth=True),
    "non_saturating": Objective(discriminator_cross_entropy, non_saturating_generator, smooth=True),
    "least_squares": Objective(least_squares_discriminator, least_squares_generator, smooth=True),
    "hinge": Objective(hinge_discriminator, wasserstein_generator),
}
"""Adversarial losses on unbounded scores, by name."""


def margin_discriminator(real_energy: Tensor, fake_energy: Tensor, margin: float) -> Tensor:
    """Energy-based discriminator's loss E[D(x)] + E[max(0, m - D(G(z)))], to be minimised.

    The generator minimises E[D(G(z))].

    Args:
        real_energy: energies of real data, shape (N,), at least 0.
        fake_energy: energies of generated data, shape (M,), at least 0.
        margin: m, the energy beyond which generated data is left alone.

    Returns:
        Scalar, at least 0; margin where the discriminator cannot tell the two apart.

    Source: Zhao, Mathieu, LeCun 2017 (arXiv:1609.03126), equation 1.
    """
    return real_energy.float().mean() + relu(margin - fake_energy.float()).mean()


def pulling_away(features: Tensor) -> Tensor:
    """Mean squared cosine similarity of the data of a minibatch, over all ordered pairs i != j.

    Args:
        features: the encoder's output on generated data, shape (N, F), N of 2 or more.

    Returns:
        Scalar in [0, 1]: 0 where all features are orthogonal, 1 where all are parallel.

    Source: Zhao, Mathieu, LeCun 2017 (arXiv:1609.03126), equation 4.
    """
    features = features.float()
    count = len(features)
    directions = normalize(features)
    pairs = (directions @ directions.T).square()
    return (pairs.sum() - pairs.diagonal().sum()) / (count * (count - 1))


def feature_matching(real_features: Tensor, fake_features: Tensor) -> Tensor:
    """Mean squared difference of the mean features of real and of generated data.

    Args:
        real_features: of the discriminator on real data, shape (N, F), unbounded.
        fake_features: on generated data, shape (M, F), unbounded.

    Returns:
        Scalar, at least 0.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 3.1; the paper writes the sum over the
        features, their code (github.com/openai/improved-gan) takes the mean.
    """
    difference = real_features.float().mean(0) - fake_features.float().mean(0)
    return difference.square().mean()


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
