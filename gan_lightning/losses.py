"""Losses of GANs: pure functions of logits, scores and features, in float32 or float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu, softplus

__all__ = [
    "OBJECTIVES",
    "Objective",
    "at_least_float32",
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
    "relativistic_discriminator",
    "relativistic_generator",
    "shared_information",
    "wasserstein_critic",
    "wasserstein_generator",
]


SMALLEST = 1e-9
"""Lower bound of a joint probability in `shared_information`, which keeps its log finite."""


def at_least_float32(values: Tensor) -> Tensor:
    """Convert half-precision values to float32; float32 and float64 stay as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def discriminator_cross_entropy(
    real_logits: Tensor, fake_logits: Tensor, real_label: float = 1.0
) -> Tensor:
    """Return the discriminator's cross-entropy -E[log D(x)] - E[log(1 - D(G(z)))].

    Args:
        real_logits: discriminator logits of real samples, shape (N,), unbounded.
        fake_logits: discriminator logits of generated samples, shape (M,), unbounded.
        real_label: target probability of real samples, in (0, 1]; a value below 1 is one-sided
            label smoothing (Salimans et al. 2016, arXiv:1606.03498, section 3.4).

    Returns:
        Scalar in nats, at least 0; 2 log 2 where all logits are 0.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), equation 1.
    """
    real_logits = at_least_float32(real_logits)
    real_loss = softplus(-real_logits).mean()
    if real_label < 1:  # softplus(x) = x + softplus(-x)
        real_loss = real_loss + (1 - real_label) * real_logits.mean()
    return real_loss + softplus(at_least_float32(fake_logits)).mean()


def minimax_generator(fake_logits: Tensor) -> Tensor:
    """Return the generator's loss E[log(1 - D(G(z)))] of the zero-sum game.

    Its gradient vanishes where the discriminator rejects generated samples with confidence.

    Args:
        fake_logits: discriminator logits of generated samples, shape (N,), unbounded.

    Returns:
        Scalar in nats, at most 0 and unbounded below.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), equation 1.
    """
    return -softplus(at_least_float32(fake_logits)).mean()


def non_saturating_generator(fake_logits: Tensor) -> Tensor:
    """Return the generator's loss -E[log D(G(z))].

    It has the fixed point of the zero-sum game, and a strong gradient where the discriminator
    rejects generated samples with confidence.

    Args:
        fake_logits: discriminator logits of generated samples, shape (N,), unbounded.

    Returns:
        Scalar in nats, at least 0.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 3.
    """
    return softplus(-at_least_float32(fake_logits)).mean()


def hinge_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return the discriminator's hinge loss E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))].

    The generator's loss of the same objective is `wasserstein_generator`.

    Args:
        real_scores: scores of real samples, shape (N,), unbounded.
        fake_scores: scores of generated samples, shape (M,), unbounded.

    Returns:
        Scalar, at least 0; 0 where all real scores are at least 1 and all others at most -1.

    Source: Lim, Ye 2017 (arXiv:1705.02894), section 3; Miyato et al. 2018 (arXiv:1802.05957),
        equation 16.
    """
    return (
        relu(1 - at_least_float32(real_scores)).mean()
        + relu(1 + at_least_float32(fake_scores)).mean()
    )


def least_squares_discriminator(
    real_scores: Tensor, fake_scores: Tensor, real_label: float = 1.0
) -> Tensor:
    """Return the discriminator's least-squares loss E[(D(x) - b)^2] / 2 + E[D(G(z))^2] / 2.

    Args:
        real_scores: scores of real samples, shape (N,), unbounded.
        fake_scores: scores of generated samples, shape (M,), unbounded.
        real_label: b, the target score of real samples; that of generated samples is 0.

    Returns:
        Scalar, at least 0.

    Source: Mao et al. 2017 (arXiv:1611.04076), equation 9.
    """
    real_loss = (at_least_float32(real_scores) - real_label).square().mean()
    return 0.5 * (real_loss + at_least_float32(fake_scores).square().mean())


def least_squares_generator(fake_scores: Tensor) -> Tensor:
    """Return the generator's least-squares loss E[(D(G(z)) - 1)^2] / 2.

    Args:
        fake_scores: scores of generated samples, shape (N,), unbounded.

    Returns:
        Scalar, at least 0.

    Source: Mao et al. 2017 (arXiv:1611.04076), equation 9.
    """
    return 0.5 * (at_least_float32(fake_scores) - 1).square().mean()


def shared_information(logits: Tensor, other_logits: Tensor) -> Tensor:
    """Return the mutual information of the categories of samples and of their augmented copies.

    The joint distribution of both categories is the mean over the samples of the outer product of
    both softmaxes, made symmetric. The information is largest, log K, where all K categories are
    equally frequent and each sample has the same category, with certainty, as its copy.

    Args:
        logits: logits of K categories of the samples, shape (N, K).
        other_logits: logits of the augmented copies, shape (N, K).

    Returns:
        Scalar in nats, at least 0 up to rounding, to be maximised.

    Source: Ji, Henriques, Vedaldi 2019 (arXiv:1807.06653), equations 2 and 3.
    """
    joint = (
        at_least_float32(logits).softmax(1).T
        @ at_least_float32(other_logits).softmax(1)
        / len(logits)
    )
    joint = ((joint + joint.T) / 2).clamp_min(SMALLEST)
    single = joint.sum(0).log()
    return (joint * (joint.log() - single[:, None] - single)).sum()


def wasserstein_critic(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return the critic's loss E[D(G(z))] - E[D(x)].

    Args:
        real_scores: critic scores of real samples, shape (N,), unbounded.
        fake_scores: critic scores of generated samples, shape (M,), unbounded.

    Returns:
        Scalar, unbounded; its negative estimates the Wasserstein-1 distance times the critic's
        Lipschitz constant.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), equation 3.
    """
    return at_least_float32(fake_scores).mean() - at_least_float32(real_scores).mean()


def wasserstein_generator(fake_scores: Tensor) -> Tensor:
    """Return the generator's loss -E[D(G(z))].

    Args:
        fake_scores: critic scores of generated samples, shape (N,), unbounded.

    Returns:
        Scalar, unbounded.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), algorithm 1, line 10.
    """
    return -at_least_float32(fake_scores).mean()


def relativistic_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return the discriminator's pairing loss -E[log sigmoid(D(x) - D(G(z)))].

    Each real sample is compared with one generated sample, so that a mode without generated samples
    still has a gradient.

    Args:
        real_scores: scores of real samples, shape (N,), unbounded.
        fake_scores: scores of generated samples, shape (N,), unbounded; i is compared with real i.

    Returns:
        Scalar in nats, at least 0; log 2 where all scores are equal.

    Source: Jolicoeur-Martineau 2018 (arXiv:1807.00734), RSGAN; Huang et al. 2024
        (arXiv:2501.05441), section 2.
    Deviations: with a class-conditional GAN the two samples of a pair can be of different classes.
    """
    return softplus(at_least_float32(fake_scores) - at_least_float32(real_scores)).mean()


def relativistic_generator(fake_scores: Tensor, real_scores: Tensor) -> Tensor:
    """Return the generator's pairing loss -E[log sigmoid(D(G(z)) - D(x))].

    Args:
        fake_scores: scores of generated samples, shape (N,), unbounded.
        real_scores: scores of real samples, shape (N,), unbounded; i is compared with generated i.

    Returns:
        Scalar in nats, at least 0; log 2 where all scores are equal.

    Source: Jolicoeur-Martineau 2018 (arXiv:1807.00734), RSGAN; Huang et al. 2024
        (arXiv:2501.05441), section 2.
    """
    return softplus(at_least_float32(real_scores) - at_least_float32(fake_scores)).mean()


class Objective(NamedTuple):
    """The adversarial losses of both players, to be minimised.

    Attributes:
        discriminator: maps (real scores, fake scores) to the discriminator's loss.
        generator: maps fake scores to the generator's loss; or (fake scores, real scores) where it
            is relativistic.
        smooth: whether the discriminator's loss takes a `real_label`.
        zero_when_separated: whether the discriminator's loss is 0 where it separates real and
            generated samples; false for a critic, whose loss estimates a distance.
        relativistic: whether the generator's loss compares generated with real samples; these are
            a minibatch of their own.
        boundary: score of a sample that is as likely real as generated; None where a score by
            itself does not say which it is.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]
    smooth: bool = False
    zero_when_separated: bool = True
    relativistic: bool = False
    boundary: float | None = 0.0

    def generator_loss(self, fake_scores: Tensor, real_scores: Callable[[], Tensor]) -> Tensor:
        """Return the generator's loss, and compute the scores of real samples only if it has them.

        Args:
            fake_scores: scores of generated samples, shape (N,), unbounded.
            real_scores: computes the scores of real samples, shape (N,).
        """
        if self.relativistic:
            return self.generator(fake_scores, real_scores())
        return self.generator(fake_scores)


OBJECTIVES: dict[str, Objective] = {
    "minimax": Objective(discriminator_cross_entropy, minimax_generator, smooth=True),
    "non_saturating": Objective(discriminator_cross_entropy, non_saturating_generator, smooth=True),
    "least_squares": Objective(
        least_squares_discriminator, least_squares_generator, smooth=True, boundary=0.5
    ),
    "hinge": Objective(hinge_discriminator, wasserstein_generator),
    "wasserstein": Objective(
        wasserstein_critic, wasserstein_generator, zero_when_separated=False, boundary=None
    ),
    "relativistic": Objective(
        relativistic_discriminator, relativistic_generator, relativistic=True, boundary=None
    ),
}
"""Objectives by name; all take unbounded scores."""


def margin_discriminator(real_energy: Tensor, fake_energy: Tensor, margin: float) -> Tensor:
    """Return the loss of an energy-based discriminator E[D(x)] + E[max(0, m - D(G(z)))].

    The generator minimises E[D(G(z))].

    Args:
        real_energy: energies of real samples, shape (N,), at least 0.
        fake_energy: energies of generated samples, shape (M,), at least 0.
        margin: m, the energy above which a generated sample has no gradient.

    Returns:
        Scalar, at least 0; m where all energies are equal and at most m.

    Source: Zhao, Mathieu, LeCun 2017 (arXiv:1609.03126), equation 1.
    """
    return (
        at_least_float32(real_energy).mean() + relu(margin - at_least_float32(fake_energy)).mean()
    )


def pulling_away(features: Tensor) -> Tensor:
    """Return the mean squared cosine similarity of all pairs of different samples.

    Args:
        features: outputs of the encoder for generated samples, shape (N, F), N at least 2.

    Returns:
        Scalar in [0, 1]: 0 where all features are orthogonal, 1 where all are parallel.

    Source: Zhao, Mathieu, LeCun 2017 (arXiv:1609.03126), equation 4.
    """
    features = at_least_float32(features)
    count = len(features)
    directions = normalize(features)
    pairs = (directions @ directions.T).square()
    return (pairs.sum() - pairs.diagonal().sum()) / (count * (count - 1))


def feature_matching(real_features: Tensor, fake_features: Tensor) -> Tensor:
    """Return the mean squared difference of the mean features of real and generated samples.

    Args:
        real_features: features of real samples in the discriminator, shape (N, F), unbounded.
        fake_features: features of generated samples, shape (M, F), unbounded.

    Returns:
        Scalar, at least 0.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 3.1; the paper writes the sum over the
        features, the authors' code (github.com/openai/improved-gan) takes the mean.
    """
    difference = at_least_float32(real_features).mean(0) - at_least_float32(fake_features).mean(0)
    return difference.square().mean()


def categorical_negative_log_likelihood(logits: Tensor, codes: Tensor) -> Tensor:
    """Return the negative log-likelihood -E[log Q(c | x)] of a categorical code.

    Args:
        logits: unnormalised log-probabilities of K categories, shape (N, K), unbounded.
        codes: true category of each sample, shape (N,), int64 in [0, K).

    Returns:
        Scalar in nats, at least 0; for a uniform code, log K minus it is a lower bound of the
        mutual information of code and sample.

    Source: Chen et al. 2016 (arXiv:1606.03657), equation 5.
    """
    return cross_entropy(at_least_float32(logits), codes)


def gaussian_negative_log_likelihood(
    mean: Tensor, target: Tensor, log_variance: Tensor | None = None
) -> Tensor:
    """Return the negative log-likelihood -E[log N(target; mean, variance)] of a Gaussian.

    It includes the constant log(2 pi) / 2 of each dimension, so that its unit is nats.

    Args:
        mean: predicted means, shape (N, D), unbounded.
        target: observed values, shape (N, D), unbounded.
        log_variance: predicted log-variances, shape (N, D), unbounded; None fixes variance 1.

    Returns:
        Scalar in nats: the sum over the D dimensions, averaged over the N samples.

    Source: Chen et al. 2016 (arXiv:1606.03657), equation 5, for independent dimensions.
    """
    squared_error = (at_least_float32(target) - at_least_float32(mean)).square()
    if log_variance is None:
        terms = squared_error
    else:
        terms = squared_error * (-at_least_float32(log_variance)).exp() + at_least_float32(
            log_variance
        )
    return 0.5 * (terms + math.log(2 * math.pi)).sum(dim=1).mean()
