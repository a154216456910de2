"""Log-likelihood of real data under a Parzen window estimate from generated samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["BANDWIDTHS", "ParzenLikelihood", "parzen_log_likelihood"]

BANDWIDTHS = torch.logspace(-1, 0, 10)
"""Standard deviations of the kernel, one of which is selected on the validation set."""

CHUNK_SIZE = 500


class ParzenLikelihood(SampleBuffer):
    """Mean log-likelihood of test data under Gaussian kernels centred on generated samples.

    The kernel's standard deviation is the one of `BANDWIDTHS` that maximises the likelihood of
    the validation data. In high dimensions the estimate ranks models badly: Theis, van den Oord,
    Bethge 2016 (arXiv:1511.01844), section 5.1, find that it can prefer a bad model to the true
    distribution. It is provided because early papers report it.

    Args:
        validation: (V, D), in [0, 1].
        test: (T, D), in [0, 1].
        capacity: number of generated samples to use, 10,000 in the papers.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 5, and its code
        (github.com/goodfeli/adversarial, parzen_ll.py): pixels in [0, 1].
    """

    higher_is_better = True

    validation: Tensor
    test: Tensor

    def __init__(self, validation: Tensor, test: Tensor, capacity: int = 10_000) -> None:
        super().__init__(capacity, test.shape[1])
        self.register_buffer("validation", validation.float(), persistent=False)
        self.register_buffer("test", test.float(), persistent=False)

    def update(self, samples: Tensor, first_index: int) -> None:
        """Add generated samples.

        Args:
            samples: (N, D) in [0, 1].
            first_index: index of samples[0] among all generated samples, at least 0.

        Raises:
            ValueError: the samples have another shape, or first_index is negative.
        """
        self.store(samples, first_index)

    def compute(self) -> dict[str, Tensor]:
        """Return the likelihood.

        Returns:
            parzen/log_likelihood: nats, mean over the test data.
            parzen/standard_error: standard error of that mean.
            parzen/bandwidth: the selected standard deviation of the kernel.

        Raises:
            ValueError: there are no samples, or two samples have the same index.
        """
        samples = self.samples()
        widths = BANDWIDTHS.to(samples)
        best = parzen_log_likelihood(samples, self.validation, widths).mean(1).argmax()
        likelihoods = parzen_log_likelihood(samples, self.test, widths[best : best + 1])[0]
        return {
            "parzen/log_likelihood": likelihoods.mean(),
            "parzen/standard_error": likelihoods.std() / math.sqrt(len(likelihoods)),
            "parzen/bandwidth": widths[best],
        }


def parzen_log_likelihood(samples: Tensor, data: Tensor, widths: Tensor) -> Tensor:
    """Compute the log-density of data under a mixture of Gaussians centred on samples.

    Args:
        samples: centres of the Gaussians, (M, D).
        data: (N, D).
        widths: (W,), standard deviations.

    Returns:
        Nats, (W, N).
    """
    count, dimensions = samples.shape
    norms = samples.square().sum(1)
    chunks = []
    for chunk in data.split(CHUNK_SIZE):
        squared_distances = chunk.square().sum(1, keepdim=True) + norms - 2 * chunk @ samples.T
        sums = [torch.logsumexp(squared_distances / (-2 * width**2), 1) for width in widths]
        chunks.append(torch.stack(sums))
    constants = math.log(count) + dimensions * (widths.log() + 0.5 * math.log(2 * math.pi))
    return torch.cat(chunks, 1) - constants[:, None]
