"""Stacked MNIST: the images and their evaluator."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_lightning.classifiers.digits import shipped_digit_network
from gan_lightning.data import MNIST, LoaderConfig, StackedMNIST
from gan_lightning.data.mnist import MNISTConfig, StackedMNISTConfig
from gan_lightning.evaluation import EvaluationContext, StackedDigitEvaluator, evaluators_for
from gan_lightning.networks.digit_net import StackedDigitNet

CPU = torch.device("cpu")
ROWS = torch.tensor([[0, 5], [127_999, 5]])


@pytest.fixture(scope="module")
def stacked() -> StackedMNIST:
    return StackedMNIST(StackedMNISTConfig())


def test_images_are_three_training_digits_whose_labels_are_the_class(stacked: StackedMNIST) -> None:
    images, classes = stacked.training_data()
    digits, labels = MNIST(MNISTConfig()).training_data()
    assert len(images) == len(classes) == 128_000
    gathered = images[ROWS]
    assert gathered.shape == (2, 2, 28, 28, 3)
    assert gathered.dtype == torch.uint8
    for image, number in zip(gathered.flatten(0, 1), classes[ROWS].flatten(), strict=True):
        place = 100
        for channel in image.unbind(-1):
            (row,) = (digits.squeeze(-1) == channel).flatten(1).all(1).nonzero().flatten().tolist()
            assert labels[row] == number // place % 10
            place //= 10


def test_all_classes_occur_about_equally_often(stacked: StackedMNIST) -> None:
    _, classes = stacked.training_data()
    counts = torch.bincount(classes, minlength=1000)
    assert len(counts) == 1000
    assert counts.min() > 50
    assert counts.max() < 250


def test_only_digits_and_triples_are_in_memory(stacked: StackedMNIST) -> None:
    images, _ = stacked.training_data()
    digits, _ = MNIST(MNISTConfig()).training_data()
    assert images.digits.data_ptr() == digits.data_ptr()
    assert sum(column.numel() for column in images.columns) == 3 * 128_000


def test_test_images_consist_of_test_digits(stacked: StackedMNIST) -> None:
    test = stacked.test_data()
    assert test.labels is not None
    assert test.data.shape == (10_000, 3, 28, 28)
    assert (test.data.min(), test.data.max()) == (-1, 1)
    digits = MNIST(MNISTConfig()).test_data()
    assert digits.labels is not None
    for channel, place in zip(test.data[7], (100, 10, 1), strict=True):
        (row,) = (digits.data.squeeze(1) == channel).flatten(1).all(1).nonzero().flatten().tolist()
        assert digits.labels[row] == test.labels[7] // place % 10


def minibatches(dataset: StackedMNIST, first_update: int = 0) -> list[Tensor]:
    dataset.config.batch_size = 4
    dataset.loader_config = LoaderConfig(6, 2, 2, seed=3)
    loader = dataset.train_dataloader()
    loader._first_update = first_update
    return [batch.data for batch in loader]


def test_the_order_is_a_function_of_the_seed() -> None:
    first, second = (minibatches(StackedMNIST(StackedMNISTConfig())) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    rest = minibatches(StackedMNIST(StackedMNISTConfig()), first_update=2)
    assert torch.equal(torch.cat(rest), torch.cat(first[1:]))


def test_the_digits_are_a_function_of_the_data_seed() -> None:
    one, other, again = (
        StackedMNIST(StackedMNISTConfig(images=50, data_seed=seed)).training_data()[1]
        for seed in (0, 1, 0)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    train, test = StackedMNIST(StackedMNISTConfig(images=50)), stacked_test_labels()
    assert not torch.equal(train.training_data()[1], test[:50])


def stacked_test_labels() -> Tensor:
    labels = StackedMNIST(StackedMNISTConfig()).test_data().labels
    assert labels is not None
    return labels


def test_black_border_at_32_pixels(stacked: StackedMNIST) -> None:
    large, _ = StackedMNIST(StackedMNISTConfig(size=32)).training_data()
    small, _ = stacked.training_data()
    image = large[torch.tensor([3])]
    assert torch.equal(image[:, 2:-2, 2:-2], small[torch.tensor([3])])
    assert image[:, :2].sum() == 0


def test_values_out_of_range() -> None:
    with pytest.raises(ValueError, match="images is 0"):
        StackedMNIST(StackedMNISTConfig(images=0))
    with pytest.raises(ValueError, match="size is 30; valid are 28, 32"):
        StackedMNIST(StackedMNISTConfig(size=30))


def test_the_classifier_reads_each_channel(stacked: StackedMNIST) -> None:
    test = stacked.test_data()
    assert test.labels is not None
    images, labels = test.data[:200], test.labels[:200]
    network = StackedDigitNet(shipped_digit_network())
    with torch.no_grad():
        joint = network(images)
        digits = [network.network(images[:, c : c + 1]).argmax(1) for c in range(3)]
    torch.testing.assert_close(joint.logsumexp(1), torch.zeros(200), atol=1e-4, rtol=0)
    assert torch.equal(joint.argmax(1), 100 * digits[0] + 10 * digits[1] + digits[2])
    assert (joint.argmax(1) == labels).float().mean() >= 0.97


def test_evaluator_counts_modes_and_their_divergence_from_uniform(stacked: StackedMNIST) -> None:
    (evaluator,) = evaluators_for(EvaluationContext(stacked, CPU))
    assert isinstance(evaluator, StackedDigitEvaluator)
    test = stacked.test_data()
    assert test.labels is not None
    classes = test.labels[:6].tolist()
    # three of one image, one of another, two of a third
    evaluator.update(test.data[[0, 0, 0, 1]], 0)
    evaluator.update(test.data[[2, 2]], 4)
    assert len(set(classes[:3])) == 3
    expected = math.log(1000) - sum(-n / 6 * math.log(n / 6) for n in (3, 1, 2))
    metrics = evaluator.compute()
    assert metrics == {"modes/covered": 3, "modes/kl": pytest.approx(expected, rel=1e-5)}
