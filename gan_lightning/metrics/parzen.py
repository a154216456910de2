"""The log-likelihood of real images under a Parzen window of generated ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["BANDWIDTHS", "ParzenLikelihood", "parzen_log_likelihood"]

BANDWIDTHS = torch.logspace(-1, 0, 10)
"""Standard deviations among which the validation set chooses."""

ROWS = 500


class ParzenLikelihood(SampleBuffer):
    """Mean log-likelihood of test data under Gaussians around generated data.

    The Gaussians' width is the one of `BANDWIDTHS` under which validation data are likeliest. It
    says little about the quality of samples in so many dimensions (Theis et al. 2016,
    arXiv:1511.01844); it is here because the papers report it.

    Args:
        validation: (V, D), in [0, 1].
        test: (T, D), in [0, 1].
        count: generated data to hold, 10,000 in the papers.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 5, and its code
        (github.com/goodfeli/adversarial, parzen_ll.py): pixels in [0, 1].
    """

    higher_is_better = True

    validation: Tensor
    test: Tensor

    def __init__(self, validation: Tensor, test: Tensor, count: int = 10_000) -> None:
        super().__init__(count, test.shape[1])
        self.register_buffer("validation", validation.float(), persistent=False)
        self.register_buffer("test", test.float(), persistent=False)

    def update(self, data: Tensor, first: int) -> None:
        """Add generated data (N, D) in [0, 1], data[0] being number `first` of all."""
        self.hold(data, first)

    def compute(self) -> dict[str, Tensor]:
        """Return the likelihood.

        Returns:
            parzen/log_likelihood: nats, mean over the test data.
            parzen/standard_error: of that mean.
            parzen/bandwidth: that was chosen.
        """
        samples = self.samples()
        widths = BANDWIDTHS.to(samples)
        chosen = parzen_log_likelihood(samples, self.validation, widths).mean(1).argmax()
        found = parzen_log_likelihood(samples, self.test, widths[chosen : chosen + 1])[0]
        return {
            "parzen/log_likelihood": found.mean(),
            "parzen/standard_error": found.std() / math.sqrt(len(found)),
            "parzen/bandwidth": widths[chosen],
        }


def parzen_log_likelihood(samples: Tensor, data: Tensor, widths: Tensor) -> Tensor:
    """Return log of the mean of Gaussian densities around samples.

    Args:
        samples: (M, D), the centres.
        data: (N, D).
        widths: (W,), standard deviations.

    Returns:
        Nats, (W, N).
    """
    count, dimensions = samples.shape
    norms = samples.square().sum(1)
    rows = []
    for chunk in data.split(ROWS):
        squares = chunk.square().sum(1, keepdim=True) + norms - 2 * chunk @ samples.T
        exponents = [torch.logsumexp(squares / (-2 * width**2), 1) for width in widths]
        rows.append(torch.stack(exponents))
    constants = math.log(count) + dimensions * (widths.log() + 0.5 * math.log(2 * math.pi))
    return torch.cat(rows, 1) - constants[:, None]
