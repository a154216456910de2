"""How well a discriminator ranks real above generated samples, with and without training data."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.evaluation.discriminator import pack_size
from gan_lightning.gans import GAN
from gan_lightning.types import Batch, Sample

__all__ = ["discriminator_auc", "ranking_accuracy"]


@torch.no_grad()
def discriminator_auc(gan: GAN, real: Batch, fake: Sample) -> float:
    """Return the probability that a real sample has a higher score than a generated one.

    It is 1/2 where the discriminator cannot tell them apart and 1 where it has won; it needs no
    threshold, so it is defined for critics too. Of real samples that the discriminator was trained
    on, a higher value than of others shows that it memorises them.

    Args:
        gan: inside `probe`, in the mode in which it trains, so that a batch norm normalises by the
            minibatch.
        real: real samples, (N, *shape).
        fake: generated samples, (M, *shape).

    Returns:
        In [0, 1]; ties count half.
    """
    sides = []
    for data, condition in ((real.data, real.condition), (fake.data, fake.condition)):
        count = len(data) - len(data) % pack_size(gan)
        sides.append(gan.discriminate(data[:count], condition[:count]).double())
    return ranking_accuracy(*sides)


def ranking_accuracy(real_scores: Tensor, fake_scores: Tensor) -> float:
    """Return the share of pairs whose real score is the higher one; ties count half.

    Args:
        real_scores: (N,).
        fake_scores: (M,).

    Source: Mann, Whitney 1947: U / (N M), the area under the ROC curve.
    """
    ordered = fake_scores.sort().values
    below = torch.searchsorted(ordered, real_scores)
    not_above = torch.searchsorted(ordered, real_scores, right=True)
    return ((below + not_above).double().mean() / (2 * len(fake_scores))).item()
