"""MS-SSIM within classes, against scipy and by property."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from gan_lightning.data.mnist import MNIST, MNISTConfig
from gan_lightning.metrics import WithinClassSimilarity
from gan_lightning.metrics.ms_ssim import PAIRS, class_pairs, within_class_similarity

RNG = torch.Generator().manual_seed(0)
CLASSES = 4
LABELS = torch.arange(CLASSES).repeat(20)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """About 800 test digits 0 to 3, shuffled because the second half of the test set is neater."""
    test = MNIST(MNISTConfig()).test_data()
    assert test.labels is not None
    rows = torch.randperm(len(test.data), generator=torch.Generator().manual_seed(1))[:2000]
    rows = rows[test.labels[rows] < CLASSES]
    return test.data[rows], test.labels[rows]


def scipy_ms_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """MS-SSIM of images (H, W) in [0, 1] with three scales and a window of 7 pixels."""

    def blurred(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5 * 7 / 11, mode="mirror", radius=3)

    def halved(image: np.ndarray) -> np.ndarray:
        height, width = (size // 2 for size in image.shape)
        return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))

    weights = np.array([0.0448, 0.2856, 0.3001])
    product = 1.0
    for scale, weight in enumerate(weights / weights.sum()):
        means = blurred(one), blurred(other)
        variances = blurred(one**2) - means[0] ** 2, blurred(other**2) - means[1] ** 2
        covariance = blurred(one * other) - means[0] * means[1]
        structure = (2 * covariance + 0.03**2) / (variances[0] + variances[1] + 0.03**2)
        luminance = (2 * means[0] * means[1] + 0.01**2) / (means[0] ** 2 + means[1] ** 2 + 0.01**2)
        value = (luminance * structure).mean() if scale == 2 else structure[3:-3, 3:-3].mean()
        product *= max(value, 0) ** weight
        one, other = halved(one), halved(other)
    return product


def test_equals_scipy_averaged_over_the_pairs(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits[0][:60], digits[1][:60] // 2
    pixels = (images[:, 0].double().numpy() + 1) / 2
    expected = [scipy_ms_ssim(pixels[i], pixels[j]) for i, j in class_pairs(labels).T.tolist()]
    value = within_class_similarity(images, labels).item()
    assert value == pytest.approx(np.mean(expected), rel=1e-4)


def test_pairs_have_two_different_images_of_the_same_class() -> None:
    labels = torch.tensor([7, 3, 3, 5, 3, 7, 9, 3])
    first, second = pairs = class_pairs(labels)
    assert torch.equal(labels[first], labels[second])
    assert not (first == second).any()
    counts = labels[first].bincount(minlength=10)
    assert counts.tolist() == [0, 0, 0, PAIRS, 0, 0, 0, PAIRS, 0, 0]
    # every ordered pair of every class occurs
    assert len({(i, j) for i, j in pairs.T.tolist()}) == 4 * 3 + 2 * 1


def test_pairs_depend_on_the_labels_only() -> None:
    state = torch.get_rng_state()
    pairs = class_pairs(LABELS)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert torch.equal(class_pairs(LABELS), pairs)


def test_one_image_per_class_scores_one(digits: tuple[Tensor, Tensor]) -> None:
    images = digits[0][:CLASSES][LABELS]
    metric = WithinClassSimilarity(digits[0][:200], digits[1][:200])
    metric.update(images, LABELS, 0)
    values = metric.compute()
    assert values["ms_ssim/within_class"].item() == pytest.approx(1, abs=1e-5)
    excess = values["ms_ssim/within_class"] - values["ms_ssim/real"]
    assert values["ms_ssim/excess"].item() == pytest.approx(excess.item())


def test_collapse_exceeds_the_similarity_of_real_digits(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    real, others = slice(400), slice(400, None)
    metric = WithinClassSimilarity(images[real], labels[real])

    def excess(generated: Tensor, labels: Tensor) -> float:
        metric.reset()
        metric.update(generated, labels, 0)
        value: Tensor = metric.compute()["ms_ssim/excess"]
        return value.item()

    assert excess(images[real], labels[real]) == 0
    assert abs(excess(images[others], labels[others])) < 0.03
    # three images per class with a little noise
    few = torch.stack([images[labels == digit][:3] for digit in range(CLASSES)])
    choice = torch.randint(3, (len(LABELS),), generator=RNG)
    collapsed = few[LABELS, choice] + 0.02 * torch.randn(len(LABELS), 1, 28, 28, generator=RNG)
    assert excess(collapsed.clamp(-1, 1), LABELS) > 0.1
    assert excess(torch.rand(len(LABELS), 1, 28, 28, generator=RNG) * 2 - 1, LABELS) < -0.2


def test_classes_have_equal_weight(digits: tuple[Tensor, Tensor]) -> None:
    images = torch.cat([digits[0][:1].expand(2, -1, -1, -1), digits[0][:40]])
    labels = torch.tensor([0] * 2 + [1] * 40)
    # other pairs are drawn when class 1 is alone, hence the tolerance
    alone = within_class_similarity(images[2:], labels[2:]).item()
    value = within_class_similarity(images, labels).item()
    assert value == pytest.approx((1 + alone) / 2, abs=0.02)


def test_other_sizes_and_colour_images(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits[0][:50], digits[1][:50] // 2
    grey = within_class_similarity(images, labels)
    torch.testing.assert_close(within_class_similarity(images.expand(-1, 3, -1, -1), labels), grey)
    large = torch.nn.functional.pad(images, (2, 2, 2, 2), value=-1)
    metric = WithinClassSimilarity(large, labels)
    assert 0 < metric.real_similarity.item() < 1


def test_samples_beyond_the_capacity_are_ignored(digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits[0][:300], digits[1][:300]
    one, parts = (WithinClassSimilarity(images[:200], labels[:200]) for _ in range(2))
    one.update(images[100:], labels[100:], 0)
    for first_index in (150, 0, 300):
        part = slice(first_index + 100, min(first_index + 250, 300))
        parts.update(images[part], labels[part], first_index)
    assert parts.compute() == one.compute()


def test_without_pairs_the_similarity_is_nan(digits: tuple[Tensor, Tensor]) -> None:
    metric = WithinClassSimilarity(digits[0][:30], digits[1][:30])
    metric.update(digits[0][:2], torch.tensor([0, 1]), 0)
    values = metric.compute()
    assert values["ms_ssim/within_class"].isnan()
    assert values["ms_ssim/excess"].isnan()
    assert values["ms_ssim/real"].isfinite()


def test_invalid_arguments_raise() -> None:
    images, labels = torch.zeros(4, 1, 28, 28), torch.tensor([0, 0, 1, 2])
    for real, real_labels, message in (
        (images[:, 0], labels, r"\(N, C, H, W\)"),
        (images.to(torch.uint8), labels, "floating point"),
        (images[:0], labels[:0], r"\(N, C, H, W\)"),
        (images[..., :27], labels, "28 x 27 pixels"),
        (images, labels[:1], r"\(4,\)"),
        (images, labels.float(), "int64"),
        (images, torch.arange(4), "no class has two"),
    ):
        with pytest.raises(ValueError, match=message):
            WithinClassSimilarity(real, real_labels)
    metric = WithinClassSimilarity(images, labels)
    for generated, generated_labels, first_index, message in (
        (images[..., :27], labels, 0, r"\(N, 1, 28, 28\)"),
        (images, labels[:1], 0, r"\(4,\)"),
        (images, labels, -1, "first_index is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.update(generated, generated_labels, first_index)
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
    metric.update(images, labels, 0)
    metric.update(images, labels, 0)
    with pytest.raises(ValueError, match="same index"):
        metric.compute()
