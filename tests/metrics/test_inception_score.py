"""InceptionScore and the modified score of EBGAN, against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor

from gan_lightning.metrics import InceptionScore


def scores(logits: Tensor) -> dict[str, float]:
    metric = InceptionScore(logits.shape[1])
    metric.update(logits)
    return {name: float(value) for name, value in metric.compute().items()}


def random_logits(seed: int, sharpness: float = 1.0) -> Tensor:
    return sharpness * torch.randn(200, 7, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sharpness", [0.1, 1, 5])
def test_agrees_with_scipy(sharpness: float) -> None:
    logits = random_logits(0, sharpness)
    conditional = logits.double().softmax(1).numpy()
    marginal = conditional.mean(axis=0)
    expected = {
        "score": math.exp(np.mean([entropy(row, marginal) for row in conditional])),
        "modified_score": np.mean([entropy(marginal, row) for row in conditional]),
    }
    assert scores(logits) == pytest.approx(expected, rel=1e-9)


def test_certain_and_uniform_scores_the_number_of_classes() -> None:
    certain = 40 * torch.eye(7).repeat(5, 1)
    values = scores(certain)
    assert values["score"] == pytest.approx(7, rel=1e-6)
    # KL(uniform || one-hot): 6 of 7 classes have log-probability -40
    assert values["modified_score"] == pytest.approx(40 * 6 / 7 - math.log(7), rel=1e-6)


def test_one_class_or_no_certainty_scores_the_minimum() -> None:
    for logits in (40 * torch.eye(7)[:1].repeat(9, 1), torch.zeros(9, 7)):
        assert scores(logits) == pytest.approx({"score": 1, "modified_score": 0}, abs=1e-9)


def test_logits_need_not_be_normalised() -> None:
    logits = random_logits(1)
    assert scores(logits + 3) == pytest.approx(scores(logits), rel=1e-6)


def test_batch_sizes_have_no_influence() -> None:
    logits = random_logits(2)
    metric = InceptionScore(7)
    for part in logits.split([1, 0, 150, 49]):
        metric.update(part)
    values = {name: float(value) for name, value in metric.compute().items()}
    assert values == pytest.approx(scores(logits), rel=1e-12)


def test_invalid_arguments_raise() -> None:
    with pytest.raises(ValueError, match="classes"):
        InceptionScore(0)
    metric = InceptionScore(3)
    with pytest.raises(ValueError, match="shape"):
        metric.update(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
