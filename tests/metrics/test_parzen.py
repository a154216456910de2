"""ParzenLikelihood against scipy."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde, multivariate_normal
from torch import Tensor

from gan_lightning.data import BaseDataModule
from gan_lightning.evaluation.digits import PixelEvaluator
from gan_lightning.metrics import ParzenLikelihood
from gan_lightning.metrics.parzen import BANDWIDTHS, parzen_log_likelihood
from gan_lightning.types import Batch

RNG = torch.Generator().manual_seed(0)


def test_log_likelihood_is_the_log_of_the_mean_density() -> None:
    samples, data = torch.rand(7, 3, generator=RNG), torch.rand(11, 3, generator=RNG)
    widths = torch.tensor([0.2, 0.7])
    values = parzen_log_likelihood(samples, data, widths)
    for row, width in zip(values, widths.tolist(), strict=True):
        densities = [
            multivariate_normal(centre, width**2).pdf(data.numpy()) for centre in samples.numpy()
        ]
        expected = np.log(np.mean(densities, axis=0))
        np.testing.assert_allclose(row.numpy(), expected, rtol=1e-4)


def test_equals_scipys_kernel_density_estimate_in_one_dimension() -> None:
    samples, data = torch.randn(50, 1, generator=RNG), torch.randn(9, 1, generator=RNG)
    kernel = gaussian_kde(samples[:, 0].numpy(), bw_method=0.5)
    width = torch.tensor([float(np.sqrt(kernel.covariance[0, 0]))])
    values = parzen_log_likelihood(samples, data, width)[0]
    np.testing.assert_allclose(values.numpy(), kernel.logpdf(data[:, 0].numpy()), rtol=1e-4)


def test_the_bandwidth_is_selected_on_validation_data() -> None:
    samples, validation, test = (torch.randn(200, 2, generator=RNG) for _ in range(3))
    metric = ParzenLikelihood(validation, test, capacity=200)
    metric.update(samples[:120], 0)
    metric.update(samples[120:], 120)
    values = {name: value.item() for name, value in metric.compute().items()}
    means = parzen_log_likelihood(samples, validation, BANDWIDTHS).mean(1)
    width = BANDWIDTHS[means.argmax()]
    assert values["parzen/bandwidth"] == pytest.approx(width.item())
    likelihoods = parzen_log_likelihood(samples, test, width[None])[0]
    assert values["parzen/log_likelihood"] == pytest.approx(likelihoods.mean().item(), rel=1e-5)
    error = likelihoods.std().item() / np.sqrt(200)
    assert values["parzen/standard_error"] == pytest.approx(error, rel=1e-5)
    # the negative entropy of the distribution bounds every estimate
    assert values["parzen/log_likelihood"] < -np.log(2 * np.pi * np.e) + 0.2


def test_samples_beyond_the_capacity_are_ignored_and_each_process_has_its_own() -> None:
    data = torch.rand(6, 3, generator=RNG)
    one, other, whole = (ParzenLikelihood(data, data, capacity=5) for _ in range(3))
    whole.update(data, 0)
    other.update(data[3:], 3)
    one.update(data[:3], 0)
    assert torch.equal(one.generated + other.generated, whole.generated)
    assert int((one.filled + other.filled).max()) == 1


class Digits:
    """Training digits that are all white, and different test digits."""

    def training_data(self) -> tuple[Tensor, Tensor]:
        return torch.full((10_000, 28, 28, 1), 255, dtype=torch.uint8), torch.zeros(10_000).long()

    def test_data(self) -> Batch:
        values = torch.linspace(-1, 0, 40).view(-1, 1, 1, 1)
        return Batch(values.expand(-1, 1, 28, 28), torch.zeros(40).long())


def test_no_digit_that_selects_the_bandwidth_is_scored_or_was_trained_on() -> None:
    evaluator = PixelEvaluator(cast("BaseDataModule", Digits()), torch.device("cpu"))
    selecting, scored = (
        set(side[:, 0].tolist())
        for side in (evaluator._likelihood.validation, evaluator._likelihood.test)
    )
    assert (len(selecting), len(scored), len(selecting | scored)) == (4, 36, 40)
    assert max(selecting | scored) <= 0.5
