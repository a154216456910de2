"""Code accuracy against brute force, the information bound against numpy and its limits."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_lightning.metrics import CodeAccuracy, MutualInformationBound


def accuracy(predicted: Tensor, labels: Tensor, categories: int, classes: int) -> float:
    metric = CodeAccuracy(categories, classes)
    metric.update(predicted, labels)
    return float(metric.compute())


def by_brute_force(predicted: Tensor, labels: Tensor, categories: int, classes: int) -> float:
    wide = max(categories, classes)
    return max(
        (torch.tensor(order)[predicted] == labels).double().mean().item()
        for order in permutations(range(wide))
    )


@pytest.mark.parametrize(("categories", "classes"), [(5, 5), (3, 6), (6, 3), (1, 4), (4, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_code_accuracy_is_that_of_the_best_matching(
    categories: int, classes: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (60,), generator=generator)
    noise = torch.randint(categories, (60,), generator=generator)
    keep = torch.rand(60, generator=generator) < 0.5
    predicted = torch.where(keep, (labels * 2 + 1) % categories, noise)
    found = accuracy(predicted, labels, categories, classes)
    expected = by_brute_force(predicted, labels, categories, classes)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_greedy_matching_is_not_good_enough() -> None:
    # greedy takes code 0 with class 0 (5) and is left with 0; the best takes 4 + 4
    counts = torch.tensor([[5, 4], [4, 0]])
    codes, labels = (counts > -1).nonzero().repeat_interleave(counts.flatten(), dim=0).T
    assert accuracy(codes, labels, 2, 2) == pytest.approx(8 / 13)


def test_relabelled_codes_are_perfect() -> None:
    labels = torch.arange(10).repeat(3)
    assert accuracy((labels * 3 + 7) % 10, labels, 10, 10) == 1
    assert accuracy(torch.zeros_like(labels), labels, 10, 10) == pytest.approx(0.1)


def test_code_accuracy_names_wrong_values() -> None:
    metric = CodeAccuracy(10, 3)
    metric.update(torch.zeros(0).long(), torch.zeros(0).long())
    with pytest.raises(ValueError, match="call update first"):
        metric.compute()
    with pytest.raises(ValueError, match=r"labels run from 0 to 3.*\[0, 3\)"):
        metric.update(torch.arange(4), torch.arange(4))
    with pytest.raises(ValueError, match="predicted codes run from -1"):
        metric.update(torch.tensor([-1]), torch.tensor([0]))
    with pytest.raises(ValueError, match="2 predicted codes and 1 labels"):
        metric.update(torch.tensor([0, 1]), torch.tensor([0]))
    with pytest.raises(ValueError, match="float32"):
        metric.update(torch.zeros(2), torch.zeros(2).long())
    with pytest.raises(ValueError, match="classes is 0"):
        CodeAccuracy(10, 0)


def bound(log_probabilities: Tensor, codes: Tensor) -> float:
    metric = MutualInformationBound(log_probabilities.shape[1])
    metric.update(log_probabilities, codes)
    return metric.compute().item()


def test_information_bound_equals_numpy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 10, generator=generator)
    codes = torch.randint(10, (40,), generator=generator)
    probabilities = np.exp(logits.double().numpy())
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = np.log(10) + np.log(probabilities[np.arange(40), codes.numpy()]).mean()
    assert bound(logits.log_softmax(dim=1), codes) == pytest.approx(expected, rel=1e-5)
    halved = logits.log_softmax(dim=1).bfloat16()
    assert bound(halved, codes) == pytest.approx(expected, rel=0.02)


def test_information_bound_has_its_limits() -> None:
    codes = torch.arange(10).repeat(5)
    certain = torch.log(torch.eye(10)[codes])
    assert bound(certain, codes) == pytest.approx(math.log(10))
    assert bound(torch.full((50, 10), -math.log(10)), codes) == pytest.approx(0, abs=1e-6)
    nearly = (50 * torch.eye(10)[codes]).log_softmax(dim=1)
    assert bound(nearly, (codes + 1) % 10) == pytest.approx(math.log(10) - 50, rel=1e-5)
    assert bound(certain, (codes + 1) % 10) == -math.inf


def test_information_bound_names_wrong_values() -> None:
    metric = MutualInformationBound(3)
    metric.update(torch.zeros(0, 3), torch.zeros(0).long())
    with pytest.raises(ValueError, match="call update first"):
        metric.compute()
    with pytest.raises(ValueError, match="log_softmax"):
        metric.update(torch.zeros(2, 3), torch.zeros(2).long())
    with pytest.raises(ValueError, match=r"must be \(2, 3\)"):
        metric.update(torch.zeros(2, 4).log_softmax(1), torch.zeros(2).long())
    with pytest.raises(ValueError, match="codes run from 3"):
        metric.update(torch.zeros(1, 3).log_softmax(1), torch.tensor([3]))
    with pytest.raises(ValueError, match="categories is 0"):
        MutualInformationBound(0)
