"""Slant, stroke width and their correlation with codes, against numpy and by property."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from gan_lightning.data.mnist import MNIST, MNISTConfig
from gan_lightning.metrics import CodeCorrelation, slant, stroke_width

RNG = torch.Generator().manual_seed(0)
BLANK = torch.full((2, 1, 28, 28), -1.0)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return MNIST(MNISTConfig()).test_data().data[:300]


def bar(width: int, length: int = 24) -> Tensor:
    """Draw an upright bar, (1, 1, 40, 60)."""
    image = torch.full((1, 1, 40, 60), -1.0)
    image[..., 8 : 8 + length, 28 : 28 + width] = 1
    return image


def sheared(images: Tensor, shears: Tensor) -> Tensor:
    """Shear images by `shears` (N,) pixels per row upwards, with linear interpolation."""
    height, width = images.shape[2:]
    shifts = shears[:, None] * (height / 2 - torch.arange(height))
    offset, fraction = shifts.floor(), shifts - shifts.floor()
    moved = torch.zeros(len(images), height, width)
    columns = torch.arange(width).expand(len(images), height, width)
    for step, weight in ((0, 1 - fraction), (1, fraction)):
        source = columns - offset[..., None].long() - step
        inside = (source >= 0) & (source < width)
        ink = (images[:, 0] + 1) / 2
        moved += weight[..., None] * ink.gather(2, source.clamp(0, width - 1)) * inside
    return moved[:, None] * 2 - 1


def rotated_bar(width: float, length: float, degrees: float) -> Tensor:
    """Draw a rotated bar in the middle of (1, 1, 40, 40), with grey edges."""
    fine = 8
    axis = (torch.arange(40 * fine) + 0.5) / fine - 20
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    inside = ((x * cos + y * sin).abs() < length / 2) & ((y * cos - x * sin).abs() < width / 2)
    return avg_pool2d(inside.float()[None, None], fine) * 2 - 1


def test_slant_is_the_covariance_of_the_ink(digits: Tensor) -> None:
    coordinates = np.indices((28, 28)).reshape(2, -1)
    for image, values in zip(digits[:30], slant(digits[:30]), strict=True):
        ink = (image.double().numpy().ravel() + 1) / 2
        covariance = np.cov(coordinates, aweights=ink)
        assert values.item() == pytest.approx(-covariance[0, 1] / covariance[0, 0], abs=1e-5)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_slant_of_a_bar_is_its_shear(width: int) -> None:
    for shear in (-1.0, -0.3, 0.0, 0.5, 1.0):
        leaning = sheared(bar(width), torch.tensor([shear]))
        assert slant(leaning).item() == pytest.approx(shear, abs=1e-5)


def test_strokes_that_lean_to_the_right_have_positive_slant() -> None:
    slash = torch.eye(28).flip(1)[None, None] * 2 - 1
    assert slant(slash).item() == pytest.approx(1)
    assert slant(slash.flip(3)).item() == pytest.approx(-1)


def test_shearing_digits_adds_to_their_slant(digits: Tensor) -> None:
    wide = pad(digits, (20, 20, 0, 0), value=-1)
    shears = torch.rand(len(wide), generator=RNG) * 1.6 - 0.8
    torch.testing.assert_close(
        slant(sheared(wide, shears)), slant(digits) + shears, atol=1e-4, rtol=0
    )


def test_stroke_width_of_a_bar_is_its_width() -> None:
    values = [stroke_width(bar(width)).item() for width in (1, 2, 3, 4)]
    for width, value in enumerate(values, start=1):
        # the outline includes the ends
        assert value == pytest.approx(width * 24 / (width + 24), rel=0.09)
        assert round(value) == width
        assert stroke_width(bar(width).transpose(2, 3)).item() == pytest.approx(value)
    assert values == sorted(values)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_the_rotation_of_a_bar_has_little_influence(width: int) -> None:
    for degrees in (0, 10, 22.5, 45, 70, 90, 135):
        values = stroke_width(rotated_bar(width, 24, degrees)).item()
        assert values == pytest.approx(width * 24 / (width + 24), rel=0.13)
    leaning = sheared(bar(width), torch.tensor([0.4]))
    # a shear keeps the width within a row, so it narrows the stroke
    assert stroke_width(leaning) < stroke_width(bar(width))


def test_width_is_ink_over_variation_in_four_directions(digits: Tensor) -> None:
    for image, values in zip(digits[:10], stroke_width(digits[:10]), strict=True):
        ink = np.pad((image[0].double().numpy() + 1) / 2, 2)
        outline = 0.0
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            changes = np.abs(ink - np.roll(ink, (down, right), axis=(0, 1))).sum()
            outline += math.pi / 8 * changes / math.hypot(down, right)
        assert values.item() == pytest.approx(2 * ink.sum() / outline, rel=1e-5)


def test_widths_of_digits(digits: Tensor) -> None:
    widths = stroke_width(digits)
    assert 2 < widths.mean() < 3
    torch.testing.assert_close(stroke_width(digits.flip(3)), widths)
    # the intensity of the ink has no influence
    torch.testing.assert_close(stroke_width(digits * 0.5 - 0.5), widths)
    torch.testing.assert_close(slant(digits * 0.5 - 0.5), slant(digits), atol=1e-5, rtol=0)
    thick = stroke_width(max_pool2d(digits, 3, stride=1, padding=1)) - widths
    assert thick.min() > 1
    assert 1.8 < thick.mean() < 3
    twice = stroke_width(interpolate(digits, scale_factor=2.0, mode="bilinear")) / widths
    assert twice.mean().item() == pytest.approx(2, rel=0.1)


def test_blank_images_have_no_slant_and_no_width() -> None:
    assert slant(BLANK).isnan().all()
    assert stroke_width(BLANK).isnan().all()
    row = BLANK.clone()
    row[:, :, 5, 3:20] = 1
    assert slant(row).isnan().all()
    assert stroke_width(row).isfinite().all()


def group_correlations(
    codes: Tensor, groups: Tensor, images: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return numpy's correlations of slant and width with each code, averaged over groups, (K,)."""
    means = []
    for attribute in (slant(images), stroke_width(images)):
        rows = []
        for group in groups.unique():
            member = groups == group
            table = torch.cat([codes[member].double(), attribute[member, None].double()], dim=1)
            rows.append(np.corrcoef(table.numpy(), rowvar=False)[-1, :-1])
        weights = groups.unique(return_counts=True)[1].numpy()
        means.append(np.average(rows, axis=0, weights=weights))
    return means[0], means[1]


def correlations(metric: CodeCorrelation) -> dict[str, float]:
    return {name: value.item() for name, value in metric.compute().items()}


def test_correlations_equal_numpys_averaged_over_groups(digits: Tensor) -> None:
    groups = torch.randint(3, (len(digits),), generator=RNG) ** 2 // 2
    codes = torch.randn(len(digits), 3, generator=RNG)
    codes[:, 1] -= 2 * slant(digits)
    codes[:, 2] += stroke_width(digits) + 5 * groups
    metric = CodeCorrelation(codes=3, groups=4)
    for part in torch.arange(len(digits)).split(70):
        metric.update(codes[part], groups[part], digits[part])
    values = correlations(metric)
    for name, expected in zip(
        ("slant", "width"), group_correlations(codes, groups, digits), strict=True
    ):
        for number, value in enumerate(expected, start=1):
            assert values[f"code{number}/{name}"] == pytest.approx(value, abs=1e-9)
        assert values[f"code/{name}_correlation"] == pytest.approx(np.abs(expected).max(), abs=1e-9)
    assert values["code2/slant"] < 0 < values["code/slant_correlation"]
    assert len(values) == 2 + 3 * 2 + 1
    expected = np.average(
        [
            turned_degrees(codes[groups == group], digits[groups == group])
            for group in groups.unique()
        ],
        axis=0,
        weights=groups.unique(return_counts=True)[1].numpy(),
    )
    assert values["code/slant_degrees"] == pytest.approx(np.abs(expected).max(), abs=1e-6)


def turned_degrees(codes: Tensor, images: Tensor) -> list[float]:
    """Return by how many degrees each code turns the strokes, from numpy's regression lines."""
    turns = []
    for column in codes.double().T:
        line = np.polyfit(column.numpy(), slant(images).numpy(), 1)
        ends = np.polyval(line, column.mean().item() + np.array([-1.0, 1.0]))
        turns.append(float(np.diff(np.degrees(np.arctan(ends)))[0]))
    return turns


def test_codes_that_shear_and_widen_are_found(digits: Tensor) -> None:
    groups = torch.arange(10).repeat(12)
    codes = torch.rand(len(groups), 2, generator=RNG) * 2 - 1
    images = pad(digits, (10, 10, 1, 1), value=-1)[groups]
    widened = torch.where(
        codes[:, 1, None, None, None] > 0, max_pool2d(images, 3, stride=1, padding=1), images
    )
    metric = CodeCorrelation(2, 10)
    metric.update(codes, groups, sheared(widened, -0.5 * codes[:, 0]))
    values = correlations(metric)
    assert values["code1/slant"] < -0.95
    assert values["code2/width"] > 0.8
    assert abs(values["code2/slant"]) < 0.3
    assert values["code/slant_correlation"] == -values["code1/slant"]
    assert values["code/width_correlation"] == values["code2/width"]
    # of a stroke that is upright on average: from arctan 0.5 to the left to as much to the right
    assert values["code/slant_degrees"] == pytest.approx(2 * math.degrees(math.atan(0.5)), abs=4)
    # differences between groups are excluded: here they would hide the shear
    ungrouped = CodeCorrelation(2)
    ungrouped.update(codes, torch.zeros_like(groups), sheared(widened, -0.5 * codes[:, 0]))
    assert correlations(ungrouped)["code/slant_correlation"] < values["code/slant_correlation"]


def test_groups_and_images_without_a_correlation_are_ignored(digits: Tensor) -> None:
    codes = torch.randn(60, 2, generator=RNG)
    alone, mixed = CodeCorrelation(2, 1), CodeCorrelation(2, 4)
    images, zeros = digits[:40], torch.zeros(40, dtype=torch.int64)
    alone.update(codes[:40], zeros, images)
    mixed.update(codes[:40], zeros, images)
    # a repeated image, a group of two images, and blank images
    mixed.update(codes[40:50], zeros[:10] + 1, digits[:1].expand(10, -1, -1, -1))
    mixed.update(codes[50:52], zeros[:2] + 2, digits[50:52])
    mixed.update(codes[:2], zeros[:2], BLANK)
    # a group in which one code is constant
    assert correlations(mixed) == pytest.approx(correlations(alone))
    constant = codes[:20].clone()
    constant[:, 0] = 0.3
    mixed.update(constant, zeros[:20] + 3, digits[40:60])
    values = correlations(mixed)
    assert values["code1/slant"] == pytest.approx(correlations(alone)["code1/slant"])
    assert values["code2/slant"] != pytest.approx(correlations(alone)["code2/slant"])


def test_correlations_are_nan_without_valid_images(digits: Tensor) -> None:
    metric = CodeCorrelation(2)
    metric.update(torch.randn(2, 2, generator=RNG), torch.zeros(2, dtype=torch.int64), BLANK)
    assert all(math.isnan(value) for value in correlations(metric).values())
    # a constant code next to one that varies
    codes = torch.stack([torch.zeros(300), torch.randn(300, generator=RNG)], dim=1)
    metric.update(codes, torch.zeros(300, dtype=torch.int64), digits)
    values = correlations(metric)
    assert math.isnan(values["code1/width"])
    assert values["code/width_correlation"] == abs(values["code2/width"])


def test_codes_with_a_large_offset_lose_no_precision(digits: Tensor) -> None:
    codes = torch.rand(300, 1, generator=RNG).double() + slant(digits)[:, None].double()
    near, far = CodeCorrelation(1), CodeCorrelation(1)
    near.update(codes, torch.zeros(300, dtype=torch.int64), digits)
    far.update(codes + 1000, torch.zeros(300, dtype=torch.int64), digits)
    assert correlations(far) == pytest.approx(correlations(near), rel=1e-6)


def test_invalid_arguments_raise(digits: Tensor) -> None:
    for images in (digits[0], digits.expand(-1, 3, -1, -1), digits.to(torch.uint8)):
        for measure in (slant, stroke_width):
            with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
                measure(images)
    for codes, groups in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            CodeCorrelation(codes, groups)
    metric = CodeCorrelation(2, 4)
    zeros = torch.zeros(300, dtype=torch.int64)
    for values, groups_of_images, message in (
        (torch.zeros(300, 1), zeros, r"\(300, 2\)"),
        (torch.zeros(299, 2), zeros, r"\(300, 2\)"),
        (torch.zeros(300, 2), zeros[:1], r"\(300,\)"),
        (torch.zeros(300, 2), zeros + 4, r"\[0, 4\)"),
        (torch.zeros(300, 2), zeros.float(), "int64"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.update(values, groups_of_images, digits)
