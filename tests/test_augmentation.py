"""Differentiable augmentation: what each one does, its gradient, and its use in training."""

from __future__ import annotations

import factories
import pytest
import torch
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.gans.augmentation import (
    AUGMENTATIONS,
    MAX_LOG_SCALE,
    MAX_ROTATION,
    MAX_SHEAR,
    MAX_SHIFT,
    augment,
    cut_out,
    jitter_colour,
    random_affine,
    translate,
)
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition, Sample

DIGITS = {
    "network": {"name": "dcgan", "width": 4},
    "data": {"name": "mnist", "size": 32, "batch_size": 8},
}


def images(count: int = 64, channels: int = 3, size: int = 16) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, size, size, generator=rng).mul_(2).sub_(1)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_image_has_its_own_random_numbers(name: str) -> None:
    torch.manual_seed(0)
    same = images(1).expand(64, -1, -1, -1)
    changed = augment(same, [name])
    assert changed.shape == same.shape
    assert len(torch.unique(changed.flatten(1), dim=0)) > 15


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_pass_gradcheck(name: str) -> None:
    torch.manual_seed(0)
    given = images(2, size=8).double().requires_grad_(True)

    def change(data: Tensor) -> Tensor:
        torch.manual_seed(1)
        return augment(data, [name])

    assert torch.autograd.gradcheck(change, (given,))


def test_colours_are_affine() -> None:
    torch.manual_seed(0)
    given = images()
    changed = jitter_colour(given)
    # contrast and saturation scale the difference of two pixels of one channel's kind
    grey, grey_after = given.mean(1), changed.mean(1)
    ratio = (grey_after[:, 1:] - grey_after[:, :-1]) / (grey[:, 1:] - grey[:, :-1])
    ratio = ratio.flatten(1)
    contrast = ratio.median(1).values
    assert torch.allclose(ratio, contrast[:, None].expand_as(ratio), atol=0.05)
    assert contrast.min() >= 0.5 - 1e-3
    assert contrast.max() <= 1.5 + 1e-3
    shift = changed.mean((1, 2, 3)) - given.mean((1, 2, 3))
    assert shift.abs().max() <= 0.5 + 1e-5
    assert shift.std() > 0.2


def test_translation_shifts_and_fills_with_zeros() -> None:
    torch.manual_seed(0)
    given = images() + 5  # no zeros of its own
    moved = translate(given)
    offsets = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    fits = torch.stack([(moved == shifted(given, *offset)).all((1, 2, 3)) for offset in offsets])
    assert (fits.sum(0) == 1).all()
    assert fits.any(1).sum() > 15


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Move images by a loop over their pixels."""
    result = torch.zeros_like(images)
    size = images.shape[-1]
    for row in range(size):
        for column in range(size):
            if 0 <= row + down < size and 0 <= column + right < size:
                result[..., row, column] = images[..., row + down, column + right]
    return result


def test_an_affine_map_is_linear_about_the_centre() -> None:
    """A blob's centre goes where one map, within its bounds, takes it; black comes in."""
    torch.manual_seed(0)
    size, count = 64, 200
    across = (torch.arange(size) + 0.5) * 2 / size - 1

    def blob(x: float, y: float) -> Tensor:
        distance = (across[None] - x).square() + (across[:, None] - y).square()
        return (2 * (-distance / 0.01).exp() - 1).expand(count, 1, size, size)

    def centres(given: Tensor) -> Tensor:
        light = random_affine(given)[:, 0] + 1
        assert light[:, 0].max() < 1e-2
        total = light.sum((1, 2))
        return torch.stack(
            [(light.sum(1) * across).sum(1) / total, (light.sum(2) * across).sum(1) / total], 1
        )

    found = []
    for x, y in ((0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (-0.2, 0.0)):
        torch.manual_seed(1)  # the same maps for each blob
        found.append(centres(blob(x, y)))
    middle, right, below, left = found
    torch.testing.assert_close(right - middle, middle - left, atol=5e-3, rtol=0)
    # images are looked up at A x + b, so a blob at p is seen at A^-1 (p - b)
    inverse = torch.stack([(right - middle) / 0.2, (below - middle) / 0.2], 2)
    matrix = inverse.inverse()
    moves = -(matrix @ middle[:, :, None])[:, :, 0]
    assert moves.abs().max() <= 2 * MAX_SHIFT + 1e-2
    assert moves.std() > MAX_SHIFT
    angle = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])
    assert angle.abs().max() <= MAX_ROTATION + 1e-2
    assert angle.std() > MAX_ROTATION / 2
    stretch = matrix[:, :, 0].norm(dim=1).log()
    assert stretch.abs().max() <= MAX_LOG_SCALE + 2e-2
    shear = (matrix[:, :, 0] * matrix[:, :, 1]).sum(1) / matrix[:, :, 0].norm(dim=1)
    assert shear.abs().max() <= MAX_SHEAR + 2e-2
    along = torch.linalg.det(matrix) / matrix[:, :, 0].norm(dim=1)
    assert along.log().abs().max() <= MAX_LOG_SCALE + 2e-2


def test_cutout_zeroes_a_square() -> None:
    torch.manual_seed(0)
    cut = cut_out(torch.ones(500, 3, 16, 16))
    zeros = (cut == 0).all(1)
    assert torch.equal(zeros, (cut == 0).any(1))
    heights, widths = (zeros.any(side).sum(1) for side in (2, 1))
    assert torch.equal(heights * widths, zeros.sum((1, 2)))  # a rectangle
    assert heights.max() == widths.max() == 8
    assert heights.min() == widths.min() == 4  # at a corner half of it is outside


def test_real_and_generated_samples_are_augmented() -> None:
    words = ("model.regularisation.augmentation=[colour,translation,cutout]",)
    gan, _ = build(factories.make_config("gan", *words, **DIGITS))
    assert isinstance(gan, GAN)
    real = Batch(torch.rand(8, 1, 32, 32))
    fake = Sample(torch.rand(8, 1, 32, 32).requires_grad_(True), Condition())
    real_seen, fake_seen = gan.preprocess_for_discriminator(real, fake)
    assert not torch.equal(real_seen.data, real.data)
    assert not torch.equal(fake_seen.data, fake.data)
    assert fake_seen.data.requires_grad


def test_training_with_augmentation_depends_on_the_seed_only() -> None:
    words = ("model.regularisation.augmentation=[colour]",)
    plain, changed = (
        factories.train_model(factories.make_config("gan", *w, **DIGITS)) for w in ((), words)
    )
    again = factories.train_model(factories.make_config("gan", *words, **DIGITS))
    assert factories.weights_equal(factories.copy_weights(changed), factories.copy_weights(again))
    assert not factories.weights_equal(
        factories.copy_weights(plain), factories.copy_weights(changed)
    )


@pytest.mark.parametrize(
    ("model", "words", "sections", "said"),
    [
        ("gan", ("model.regularisation.augmentation=[colour]",), {}, "these data are points"),
        (
            "pix2pix",
            ("model.regularisation.augmentation=[colour]",),
            {},
            "Pix2Pix compares images pixel by pixel",
        ),
        ("pix2pix", ("model.regularisation.instance_noise=0.1",), {}, "Pix2Pix compares images"),
        (
            "gan",
            ("model.regularisation.augmentation=[color]",),
            DIGITS,
            "augmentation.0. is 'color'; valid are colour, affine, cutout, translation",
        ),
    ],
)
def test_mistakes(
    model: str, words: tuple[str, ...], sections: dict[str, object], said: str
) -> None:
    with pytest.raises((UserError, ValueError), match=said):
        build(factories.make_config(model, *words, **sections))
