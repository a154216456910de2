"""LeCam regularisation: scores are kept near running averages of the other side's scores."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.losses import at_least_float32
from gan_lightning.utils.settings import setting

__all__ = ["LeCam", "LeCamConfig", "lecam_penalty"]


@dataclass
class LeCamConfig:
    """LeCam regularisation, against overfitting where data are few."""

    weight: float = setting(0.0, "lambda: weight of the penalty; 0 leaves it out.", minimum=0)
    decay: float = setting(
        0.99,
        "gamma: decay of the running averages of scores, per step of the discriminator.",
        minimum=0,
        below=1,
    )
    start_update: int = setting(
        0, "Generator updates before the first one with the penalty.", minimum=0
    )


def lecam_penalty(
    real_scores: Tensor, fake_scores: Tensor, real_average: Tensor, fake_average: Tensor
) -> Tensor:
    """Return E[max(0, D(x) - alpha_F)^2] + E[max(0, alpha_R - D(G(z)))^2].

    Args:
        real_scores: scores of real samples, shape (N,), unbounded.
        fake_scores: scores of generated samples, shape (M,), unbounded.
        real_average: alpha_R, average of earlier scores of real samples, a scalar.
        fake_average: alpha_F, that of generated samples.

    Returns:
        Scalar, at least 0.

    Source: Tseng et al. 2021 (arXiv:2104.03310), section 3.2, as in the authors' code
        (github.com/google/lecam-gan).
    Deviations: the paper writes squared differences without the maximum.
    """
    real_excess = relu(at_least_float32(real_scores) - fake_average)
    fake_excess = relu(real_average - at_least_float32(fake_scores))
    return real_excess.square().mean() + fake_excess.square().mean()


class LeCam(nn.Module):
    """The running averages of the scores of real and generated samples, and the penalty.

    Each step first adds its own scores to the averages, as the authors' code does. An average is
    that of exponentially falling weights, divided by their sum, so that it starts at the first
    scores.

    Args:
        config: weight, decay and start.

    Attributes:
        averages: averages of the scores of real and of generated samples, float32, (2,).
        total: sum of the weights of the scores so far, at most 1.

    Source: Tseng et al. 2021 (arXiv:2104.03310), and the authors' code.
    Deviations: that code has two forms. For StyleGAN2 it averages as here. For BigGAN the decay is
        0.9, and until iteration 1,000 (here `start_update`, by default 0) the averages are the
        present scores. With accumulated gradients every part adds its scores, as in their code. The
        further steps of an unrolled discriminator are without the penalty.
    """

    averages: Tensor
    total: Tensor

    def __init__(self, config: LeCamConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("averages", torch.zeros(2))
        self.register_buffer("total", torch.zeros(()))

    def forward(self, update: int, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Add the scores of a step to the averages, then return the weighted penalty.

        Args:
            update: number of generator updates made so far.
            real_scores: scores of real samples, shape (N,).
            fake_scores: scores of generated samples, shape (M,).

        Returns:
            Scalar, 0 before `start_update`.
        """
        means = torch.stack(
            [at_least_float32(real_scores).mean(), at_least_float32(fake_scores).mean()]
        )
        self._add(all_reduce_mean(means.detach()))
        if update < self.config.start_update:
            return torch.zeros((), device=self.total.device)
        return self.config.weight * lecam_penalty(real_scores, fake_scores, *self.averages.clone())

    @torch.no_grad()
    def _add(self, means: Tensor) -> None:
        decay = self.config.decay
        self.total.mul_(decay).add_(1 - decay)
        self.averages.lerp_(means, (1 - decay) / self.total)
