"""CodeAccuracy against brute force; MutualInformationBound against numpy and at its limits."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_lightning.metrics import CodeAccuracy, MutualInformationBound


def draw(count: int, categories: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=rng)
    noise = torch.randint(categories, (count,), generator=rng)
    keep = torch.rand(count, generator=rng) < 0.5
    return torch.where(keep, (labels + 1) % categories, noise), labels


def accuracy(predicted: Tensor, labels: Tensor, categories: int, classes: int) -> float:
    metric = CodeAccuracy(categories, classes)
    for part in torch.arange(len(labels)).split(17):
        metric.update(predicted[part], labels[part])
    return metric.compute().item()


def brute_force(predicted: Tensor, labels: Tensor, categories: int, classes: int) -> float:
    codes, truth, best = predicted.numpy(), labels.numpy(), 0.0
    size = max(categories, classes)
    for matching in itertools.permutations(range(size)):
        best = max(best, float((np.array(matching)[codes] == truth).mean()))
    return best


@pytest.mark.parametrize(("categories", "classes"), [(4, 4), (6, 3), (3, 6), (1, 4), (4, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_accuracy_equals_best_of_all_permutations(categories: int, classes: int, seed: int) -> None:
    predicted, labels = draw(60, categories, classes, seed)
    value = accuracy(predicted, labels, categories, classes)
    expected = brute_force(predicted, labels, categories, classes)
    assert value == pytest.approx(expected, abs=1e-6)


def test_assignment_is_not_greedy() -> None:
    # greedy assigns code 0 to class 0 (5 samples), which leaves 0; the optimum is 4 + 4
    pairs = [(0, 0)] * 5 + [(0, 1)] * 4 + [(1, 0)] * 4
    predicted, labels = torch.tensor(pairs).T
    assert accuracy(predicted, labels, 2, 2) == pytest.approx(8 / 13)


def test_relabelled_codes_are_perfect() -> None:
    labels = torch.arange(10).repeat(3)
    permutation = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    assert accuracy(permutation[labels], labels, 10, 10) == 1


def test_unassigned_codes_and_classes_count_as_errors() -> None:
    labels = torch.arange(4).repeat(5)
    assert accuracy(labels % 2, labels, 2, 4) == pytest.approx(0.5)
    assert accuracy(labels, labels % 2, 4, 2) == pytest.approx(0.5)


def test_no_samples_raise() -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    codes = CodeAccuracy(3, 3)
    codes.update(empty, empty)
    bound = MutualInformationBound(3)
    bound.update(torch.zeros(0, 3), empty)
    for metric in (codes, bound):
        with pytest.raises(ValueError, match="no samples"):
            metric.compute()


def test_invalid_arguments_of_code_accuracy_raise() -> None:
    for sizes in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            CodeAccuracy(*sizes)
    good = torch.tensor([0, 1, 2])
    metric = CodeAccuracy(3, 3)
    for bad in ([0, 1, 3], [0, -1, 2], [0.0, 1.0, 2.0], [True, False, True], [[0, 1, 2]]):
        with pytest.raises(ValueError, match="predicted codes"):
            metric.update(torch.tensor(bad), good)
        with pytest.raises(ValueError, match="labels"):
            metric.update(good, torch.tensor(bad))
    with pytest.raises(ValueError, match="3 predicted codes and 2 labels"):
        metric.update(good, good[:2])
    assert metric.confusion.sum() == 0


def bound(log_probabilities: Tensor, codes: Tensor) -> float:
    metric = MutualInformationBound(log_probabilities.shape[1])
    for part in torch.arange(len(codes)).split(9):
        metric.update(log_probabilities[part], codes[part])
    return metric.compute().item()


@pytest.mark.parametrize("categories", [1, 2, 10])
@pytest.mark.parametrize("seed", range(3))
def test_bound_agrees_with_numpy(categories: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(50, categories)) * 3
    codes = rng.integers(categories, size=50)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.log(categories) + np.log(probabilities[np.arange(50), codes]).mean()
    ours = bound(torch.tensor(logits).log_softmax(dim=1), torch.tensor(codes))
    assert ours == pytest.approx(expected, abs=1e-9)


def confident(codes: Tensor, categories: int, logit: float) -> Tensor:
    return (torch.nn.functional.one_hot(codes, categories) * logit).float().log_softmax(dim=1)


def test_limits_of_the_bound() -> None:
    codes = torch.arange(10).repeat(4)
    assert bound(confident(codes, 10, 60.0), codes) == pytest.approx(math.log(10))
    assert bound(confident(codes, 10, 0.0), codes) == pytest.approx(0, abs=1e-6)
    wrong = (codes + 1) % 10
    assert bound(confident(wrong, 10, 60.0), codes) == pytest.approx(math.log(10) - 60)
    impossible = confident(wrong, 10, math.inf).new_full((40, 10), -math.inf)
    impossible[torch.arange(40), wrong] = 0
    assert bound(impossible, codes) == -math.inf


@pytest.mark.parametrize("seed", range(5))
def test_bound_never_exceeds_the_entropy(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    codes = torch.randint(5, (30,), generator=rng)
    logits = torch.randn(30, 5, generator=rng) * 20 + confident(codes, 5, 40.0)
    assert bound(logits.log_softmax(dim=1), codes) <= math.log(5)


def test_half_precision() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, codes = torch.randn(40, 10, generator=rng), torch.randint(10, (40,), generator=rng)
    exact = logits.log_softmax(dim=1)
    assert bound(exact.bfloat16(), codes) == pytest.approx(bound(exact, codes), abs=0.01)


def test_invalid_arguments_of_the_bound_raise() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MutualInformationBound(0)
    codes = torch.tensor([0, 1])
    metric = MutualInformationBound(3)
    with pytest.raises(ValueError, match="sum to 1"):
        metric.update(torch.randn(2, 3, generator=torch.Generator().manual_seed(0)), codes)
    for shape in ((3, 3), (2, 2), (2, 3, 1)):
        with pytest.raises(ValueError, match="shape"):
            metric.update(torch.zeros(shape).log_softmax(dim=1), codes)
    with pytest.raises(ValueError, match="codes"):
        metric.update(torch.zeros(2, 3).log_softmax(dim=1), codes + 2)
    assert metric.samples == 0
