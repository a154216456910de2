"""MNIST: the embedded digits and their padding."""

from __future__ import annotations

import pytest
import torch

from gan_lightning.data.mnist import MNIST, MNISTConfig


def test_number_and_mean_of_digits() -> None:
    digits = MNIST(MNISTConfig())
    images, labels = digits.training_data()
    assert images.shape == (60_000, 28, 28, 1)
    assert images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert torch.bincount(labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    test = digits.test_data()
    assert test.data.shape == (10_000, 1, 28, 28)
    assert test.labels is not None
    assert torch.bincount(test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_black_border_at_32_pixels() -> None:
    small, large = MNIST(MNISTConfig()), MNIST(MNISTConfig(size=32))
    inner = large.test_data().data[..., 2:-2, 2:-2]
    assert torch.equal(inner, small.test_data().data)
    assert (large.test_data().data[..., 0, :] == -1).all()


def test_images_are_read_once() -> None:
    first, _ = MNIST(MNISTConfig()).training_data()
    second, _ = MNIST(MNISTConfig()).training_data()
    assert first.data_ptr() == second.data_ptr()
