"""Likelihood under a Parzen window and nearest neighbours, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import gaussian_kde, multivariate_normal

from gan_lightning.metrics import NearestNeighbourError, ParzenLikelihood
from gan_lightning.metrics.parzen import BANDWIDTHS, parzen_log_likelihood

RNG = torch.Generator().manual_seed(0)


def test_log_likelihood_is_the_log_of_the_mean_density() -> None:
    samples, data = torch.rand(7, 3, generator=RNG), torch.rand(11, 3, generator=RNG)
    widths = torch.tensor([0.2, 0.7])
    found = parzen_log_likelihood(samples, data, widths)
    for row, width in zip(found, widths.tolist(), strict=True):
        densities = [
            multivariate_normal(centre, width**2).pdf(data.numpy()) for centre in samples.numpy()
        ]
        expected = np.log(np.mean(densities, axis=0))
        np.testing.assert_allclose(row.numpy(), expected, rtol=1e-4)


def test_it_agrees_with_scipys_kernel_estimate_in_one_dimension() -> None:
    samples, data = torch.randn(50, 1, generator=RNG), torch.randn(9, 1, generator=RNG)
    kernel = gaussian_kde(samples[:, 0].numpy(), bw_method=0.5)
    width = torch.tensor([float(np.sqrt(kernel.covariance[0, 0]))])
    found = parzen_log_likelihood(samples, data, width)[0]
    np.testing.assert_allclose(found.numpy(), kernel.logpdf(data[:, 0].numpy()), rtol=1e-4)


def test_the_width_is_chosen_on_validation_data_and_used_on_test_data() -> None:
    samples, validation, test = (torch.randn(200, 2, generator=RNG) for _ in range(3))
    metric = ParzenLikelihood(validation, test, count=200)
    metric.update(samples[:120], 0)
    metric.update(samples[120:], 120)
    found = {name: value.item() for name, value in metric.compute().items()}
    means = parzen_log_likelihood(samples, validation, BANDWIDTHS).mean(1)
    width = BANDWIDTHS[means.argmax()]
    assert found["parzen/bandwidth"] == pytest.approx(width.item())
    likelihoods = parzen_log_likelihood(samples, test, width[None])[0]
    assert found["parzen/log_likelihood"] == pytest.approx(likelihoods.mean().item(), rel=1e-5)
    error = likelihoods.std().item() / np.sqrt(200)
    assert found["parzen/standard_error"] == pytest.approx(error, rel=1e-5)
    # the entropy of the distribution bounds what any estimate reaches
    assert found["parzen/log_likelihood"] < -np.log(2 * np.pi * np.e) + 0.2


def test_nearest_neighbours_are_those_of_all_distances() -> None:
    generated, real, test = (torch.rand(30, 5, generator=RNG) for _ in range(3))
    labels, real_labels, test_labels = (torch.randint(4, (30,), generator=RNG) for _ in range(3))
    metric = NearestNeighbourError(real, real_labels, test, test_labels)
    metric.update(generated[:20], labels[:20], 0)
    metric.update(generated[20:], labels[20:], 20)
    found = {name: value.item() for name, value in metric.compute().items()}
    for name, known, kinds in (
        ("error", generated, labels),
        ("real_error", real, real_labels),
    ):
        nearest = cdist(test.numpy(), known.numpy()).argmin(axis=1)
        expected = (kinds[nearest] != test_labels).double().mean().item()
        assert found[f"nearest_neighbour/{name}"] == pytest.approx(expected)


def test_more_than_it_holds_is_left_out_and_numbers_are_of_one_process() -> None:
    data = torch.rand(6, 3, generator=RNG)
    one, other, whole = (ParzenLikelihood(data, data, count=5) for _ in range(3))
    whole.update(data, 0)
    other.update(data[3:], 3)
    one.update(data[:3], 0)
    together = torch.cat([one.generated + other.generated])
    assert torch.equal(together, whole.generated)
    assert int((one.filled + other.filled).max()) == 1
