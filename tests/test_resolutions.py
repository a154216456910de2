"""The accuracy of generated digits at lower resolutions: of real, of enlarged and of other ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from gan_lightning.classifiers.digits import shipped_digit_network
from gan_lightning.data.mnist import MNIST
from gan_lightning.evaluation import digits as evaluation_of_digits
from gan_lightning.evaluation import resolutions
from gan_lightning.evaluation.digits import DigitEvaluator
from gan_lightning.evaluation.resolutions import (
    SIZES,
    ResolutionAccuracy,
    at_resolution,
    real_accuracies,
)
from gan_lightning.types import Batch

CPU = torch.device("cpu")
COUNT = 400


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Return random test digits and their classes."""
    test = MNIST(MNIST.Config()).test_data()
    assert test.labels is not None
    rows = torch.randperm(len(test.data), generator=torch.Generator().manual_seed(1))[:COUNT]
    return test.data[rows], test.labels[rows]


def measured(images: Tensor, labels: Tensor, parts: int = 1) -> dict[str, float]:
    judge = ResolutionAccuracy(shipped_digit_network(), torch.ones(len(SIZES)), CPU)
    first = 0
    for part, requested in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        judge.update(part, first, requested)
        first += len(part)
    return judge.compute()


def test_real_digits_lose_accuracy_with_their_resolution(digits: tuple[Tensor, Tensor]) -> None:
    values = measured(*digits)
    at = [values[f"class/accuracy_at/{size}"] for size in SIZES]
    assert at == sorted(at)
    assert at[0] < 0.7
    assert at[-1] > 0.98
    assert at == pytest.approx(real_accuracies(shipped_digit_network(), *digits).tolist())
    for size, accuracy in zip(SIZES[:-1], at, strict=False):
        assert values[f"class/accuracy_lost_at/{size}"] == pytest.approx(at[-1] - accuracy)
    assert "class/accuracy_lost_at/28" not in values


def test_a_generator_that_enlarges_small_digits_loses_nothing_at_their_size(
    digits: tuple[Tensor, Tensor],
) -> None:
    images, labels = digits
    enlarged = interpolate(avg_pool2d(images, 2), size=28, mode="nearest")
    values = measured(enlarged, labels)
    assert values["class/accuracy_at/28"] > 0.9
    assert values["class/accuracy_lost_at/14"] == pytest.approx(0, abs=0.02)
    assert values["class/accuracy_lost_at/8"] > 0.2


def test_a_border_and_chunks_change_nothing(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    whole = measured(images, labels)
    assert measured(pad(images, (2,) * 4, value=1.0), labels) == whole
    assert measured(images, labels, parts=3) == whole


def test_only_the_first_samples_count(
    digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = digits
    monkeypatch.setattr(resolutions, "SAMPLES", 100)
    first = measured(images[:100], labels[:100])
    assert measured(images, labels) == first
    assert measured(images, labels, parts=7) == first


def test_the_full_size_leaves_digits_as_they_are(digits: tuple[Tensor, Tensor]) -> None:
    images, _ = digits
    assert torch.equal(at_resolution(pad(images, (2,) * 4), 28), images)
    constant = torch.full((1, 1, 28, 28), 0.25)
    torch.testing.assert_close(at_resolution(constant, 8), constant)


class FewDigits(MNIST):
    """The first digits of both parts."""

    def training_data(self) -> tuple[Tensor, Tensor]:
        images, labels = super().training_data()
        return images[:COUNT], labels[:COUNT]

    def test_data(self) -> Batch:
        return super().test_data().part(slice(0, COUNT), CPU)


@pytest.mark.parametrize("conditional", [True, False])
def test_requested_digits_are_read_at_all_resolutions(
    conditional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cached_statistics", "cached_tensors"):  # they are those of all digits
        monkeypatch.setattr(evaluation_of_digits, name, lambda key, compute: compute())
    data = FewDigits(MNIST.Config())
    images, labels = data.test_data()[:2]
    judge = DigitEvaluator(data, CPU, conditional=conditional, samples=COUNT)
    judge.update(images, 0, labels if conditional else None)
    values = judge.compute()
    for size in SIZES if conditional else ():
        accuracy = values[f"class/accuracy_at/{size}"]
        assert accuracy == pytest.approx(values[f"class/accuracy_at/{size}/real"])
    if conditional:
        assert values["class/accuracy_at/28"] == pytest.approx(values["class/accuracy"])
    assert any("accuracy_at" in name for name in values) == conditional
