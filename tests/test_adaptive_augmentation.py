"""Random transformations against hand-made ones, and the probability of adaptive augmentation."""

from __future__ import annotations

from typing import Any

import factories
import numpy as np
import pytest
import torch
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.gans.adaptive_augmentation import (
    AdaptiveAugmentation,
    AdaptiveAugmentationConfig,
)
from gan_lightning.gans.random_transforms import TRANSFORMS, random_transforms
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition, Sample

DIGITS: dict[str, Any] = {
    "network": {"name": "dcgan", "width": 4},
    "data": {"name": "mnist", "size": 32, "batch_size": 8},
}
ADA = "model.regularisation.ada={enabled: true, target: -1, images: 100, interval: 16}"
GREY = np.full((3, 3), 1 / 3)
"""Projection of a colour on the grey axis."""


def images(count: int = 64, channels: int = 3, size: int = 8) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, size, size, generator=rng).mul_(2).sub_(1)


def transformed(given: Tensor, *names: str, probability: float = 1.0) -> Tensor:
    torch.manual_seed(1)
    return random_transforms(given, names, probability)


def shares(given: Tensor, changed: Tensor, candidates: list[Tensor]) -> list[float]:
    """Return the share of images that equal each candidate; each equals one or another."""
    fits = torch.stack([(changed - each).abs().amax((1, 2, 3)) < 1e-4 for each in candidates])
    assert (fits.sum(0) == 1).all()
    return fits.double().mean(1).tolist()


def test_flips_and_quarter_rotations_move_pixels_exactly() -> None:
    given = images(1000)
    found = shares(given, transformed(given, "flip"), [given, given.flip(3)])
    assert found == pytest.approx([0.5, 0.5], abs=0.05)
    turned = transformed(given, "quarter_rotation")
    quarters = [given.rot90(k, (2, 3)) for k in range(4)]
    assert shares(given, turned, quarters) == pytest.approx([0.25] * 4, abs=0.05)


def test_translations_are_by_whole_pixels_and_reflect() -> None:
    given = images(400, size=16)
    padded = np.pad(given.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="symmetric")
    candidates = [
        torch.from_numpy(padded[:, :, down : down + 16, across : across + 16])
        for down in range(5)
        for across in range(5)
    ]
    found = shares(given, transformed(given, "translation"), candidates)
    assert min(found) > 0  # 1/16 at the corners of the range, 1/4 of a quarter there
    assert found[12] == pytest.approx(1 / 16, abs=0.04)


def test_images_that_are_not_square_are_rotated_about_their_centre() -> None:
    given = images(200)[:, :, :, :6]  # 8 rows of 6 pixels
    wide = torch.nn.functional.pad(given, (1, 1, 0, 0), mode="replicate")
    quarters = [wide.rot90(k, (2, 3))[:, :, :, 1:-1] for k in range(4)]
    found = shares(given, transformed(given, "quarter_rotation"), quarters)
    assert found == pytest.approx([0.25] * 4, abs=0.12)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_a_transformation_has_its_probability(name: str, probability: float) -> None:
    given = images(2000)
    changed = transformed(given, name, probability=probability)
    share = (changed != given).any(3).any(2).any(1).double().mean().item()
    # of these draws some are the identity
    unlike = {"flip": 1 / 2, "quarter_rotation": 3 / 4, "translation": 8 / 9, "luma_flip": 1 / 2}
    assert share == pytest.approx(probability * unlike.get(name, 1), abs=0.035)


def test_no_transformation_at_probability_0_keeps_images_bit_for_bit() -> None:
    for channels in (1, 3):
        given = images(channels=channels)
        assert torch.equal(transformed(given, *TRANSFORMS, probability=0.0), given)


def colour_matrices(name: str, count: int = 500) -> tuple[np.ndarray[Any, Any], ...]:
    """Return the linear part and the constant of each image's change of colours, by fitting."""
    given = images(count).double()
    changed = transformed(given, name)
    pixels = np.concatenate([given.numpy(), np.ones((count, 1, 8, 8))], 1).reshape(count, 4, 64)
    fitted = [
        np.linalg.lstsq(before.T, after.T, rcond=None)[0].T
        for before, after in zip(pixels, changed.numpy().reshape(count, 3, 64), strict=True)
    ]
    fitted_array = np.stack(fitted)
    return fitted_array[:, :, :3], fitted_array[:, :, 3]


def test_brightness_and_contrast() -> None:
    linear, constant = colour_matrices("brightness")
    np.testing.assert_allclose(linear, np.broadcast_to(np.eye(3), linear.shape), atol=1e-5)
    np.testing.assert_allclose(constant, constant[:, :1].repeat(3, 1), atol=1e-5)
    assert constant[:, 0].std() == pytest.approx(0.2, rel=0.1)
    linear, constant = colour_matrices("contrast")
    factor = linear[:, 0, 0]
    np.testing.assert_allclose(linear, factor[:, None, None] * np.eye(3), atol=1e-5)
    np.testing.assert_allclose(constant, 0, atol=1e-5)
    assert np.log2(factor).std() == pytest.approx(0.5, rel=0.1)


def test_contrast_follows_brightness() -> None:
    given = images(500)
    changed = transformed(given, "contrast", "brightness")  # the order of the names has no effect
    assert torch.equal(changed, transformed(given, "brightness", "contrast"))
    factor = (changed.amax((1, 2, 3)) - changed.amin((1, 2, 3))) / (
        given.amax((1, 2, 3)) - given.amin((1, 2, 3))
    )
    constant = changed.mean((1, 2, 3)) - factor * given.mean((1, 2, 3))
    assert (constant / factor).std().item() == pytest.approx(0.2, rel=0.1)
    assert constant.std() > 1.05 * (constant / factor).std()


def test_luma_flip_hue_and_saturation_act_along_and_about_the_grey_axis() -> None:
    linear, _ = colour_matrices("luma_flip")
    flipped = np.eye(3) - 2 * GREY
    is_flipped = np.abs(linear - flipped).max((1, 2)) < 1e-5
    is_same = np.abs(linear - np.eye(3)).max((1, 2)) < 1e-5
    assert (is_flipped ^ is_same).all()
    linear, _ = colour_matrices("saturation")
    factor = np.trace(linear, axis1=1, axis2=2) / 2 - 0.5
    expected = GREY + (np.eye(3) - GREY) * factor[:, None, None]
    np.testing.assert_allclose(linear, expected, atol=1e-4)
    assert np.log2(factor).std() == pytest.approx(1, rel=0.1)
    linear, _ = colour_matrices("hue")
    np.testing.assert_allclose(
        linear @ linear.swapaxes(1, 2), np.broadcast_to(np.eye(3), linear.shape), atol=1e-4
    )
    np.testing.assert_allclose(np.linalg.det(linear), 1, atol=1e-4)
    np.testing.assert_allclose(linear @ np.ones(3), 1, atol=1e-4)
    red, green = linear[:, 0, 0], linear[:, 1, 0]
    angle = np.arctan2(np.sqrt(3) * (green - linear[:, 2, 0]), 3 * red - 1)
    assert np.quantile(angle, [0.25, 0.75]) == pytest.approx([-np.pi / 2, np.pi / 2], abs=0.35)


def test_grey_images_change_as_three_equal_channels() -> None:
    grey = images(channels=1)
    names = ("brightness", "contrast", "luma_flip", "hue", "saturation")
    colour = transformed(grey.expand(-1, 3, -1, -1), *names)
    torch.testing.assert_close(transformed(grey, *names), colour[:, :1], rtol=1e-4, atol=1e-4)


def blob_moments(name: str, count: int = 300) -> tuple[np.ndarray[Any, Any], ...]:
    """Return centre and covariance, in pixels, of a blob off the centre after a transformation."""
    size = 64
    across = torch.arange(size).double() + 0.5 - size / 2
    x, y = across[None] - 6, across[:, None] - 2
    blob = (-(x / 4).square() / 2 - (y / 2).square() / 2).exp()
    light = transformed(blob.expand(count, 1, size, size).contiguous(), name)[:, 0]
    total = light.sum((1, 2))
    centre = [(light.sum(1) * across).sum(1) / total, (light.sum(2) * across).sum(1) / total]
    moved = [across - each[:, None] for each in centre]
    spread = [
        [torch.einsum("nyx,nx,ny->n", light, *pair) for pair in row]
        for row in (
            ((moved[0].square(), torch.ones_like(moved[0])), (moved[0], moved[1])),
            ((moved[0], moved[1]), (torch.ones_like(moved[0]), moved[1].square())),
        )
    ]
    covariance = torch.stack([torch.stack(row, 1) for row in spread], 1) / total[:, None, None]
    return torch.stack(centre, 1).numpy(), covariance.numpy()


def test_scale_rotation_and_stretch_act_about_the_centre() -> None:
    centre, covariance = blob_moments("scale")
    factor = centre[:, 0] / 6
    np.testing.assert_allclose(centre[:, 1], 2 * factor, atol=0.02)
    np.testing.assert_allclose(covariance[:, 0, 0], (4 * factor) ** 2, rtol=0.1)
    assert np.log2(factor).std() == pytest.approx(0.2, rel=0.15)
    centre, covariance = blob_moments("rotation")
    np.testing.assert_allclose(np.hypot(*centre.T), np.hypot(6, 2), atol=0.05)
    np.testing.assert_allclose(np.linalg.det(covariance), (4 * 2) ** 2, rtol=0.1)
    assert np.abs(np.mean(np.exp(1j * np.arctan2(centre[:, 1], centre[:, 0])))) < 0.15
    centre, covariance = blob_moments("stretch")
    np.testing.assert_allclose(centre.prod(1), 12, rtol=0.02)
    assert np.log2(centre[:, 0] / 6).std() == pytest.approx(0.2, rel=0.15)
    centre, _ = blob_moments("shift", count=100)
    near = np.abs(centre).max(1) < 20  # of those that are still inside
    assert (centre[near] - [6, 2]).std() > 3


def test_cutout_zeroes_a_square_of_half_the_side() -> None:
    zeros = transformed(torch.ones(500, 3, 16, 16), "cutout")[:, 0] == 0
    heights, widths = (zeros.any(side).sum(1) for side in (2, 1))
    assert torch.equal(heights * widths, zeros.sum((1, 2)))
    assert heights.max() == widths.max() == 8
    assert heights.min() in (4, 5)


def test_transformations_pass_gradcheck() -> None:
    given = images(2, size=6).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda data: transformed(data, *TRANSFORMS), (given,))


def test_the_probability_follows_the_signs_of_the_scores() -> None:
    settings = AdaptiveAugmentationConfig(target=0.5, images=100, interval=16)
    ada, expected, signs, seen = AdaptiveAugmentation(settings, boundary=0.5), 0.0, 0.0, 0
    rng = torch.Generator().manual_seed(0)
    path = []
    for step in range(60):
        scores = torch.randn(6, generator=rng) + (2.5 if step < 35 else -1)
        signs += np.sign(scores.numpy() - 0.5).sum()
        seen += 6
        if seen >= 16:
            expected = min(1, max(0, expected + np.sign(signs / seen - 0.5) * seen / 100))
            signs, seen = 0.0, 0
        ada.adjust(scores, 6)
        path.append(ada.probability.item())
        assert path[-1] == pytest.approx(expected, abs=1e-5)
    assert path[1] == 0
    assert path[2] == pytest.approx(0.18)
    assert max(path) == 1  # after 100 images
    assert path[-1] == 0


def test_both_losses_see_both_sides_transformed() -> None:
    gan, _ = build(factories.make_config("gan", ADA, **DIGITS))
    assert isinstance(gan, GAN)
    real, fake = Batch(images(8, 1, 32)), Sample(images(8, 1, 32).requires_grad_(True), Condition())
    seen = gan.preprocess_for_discriminator(real, fake)
    assert torch.equal(seen[0].data, real.data)  # p is 0
    assert gan.ada is not None
    gan.ada.probability.fill_(1)
    seen = gan.preprocess_for_discriminator(real, fake)
    for before, after in zip((real.data, fake.data), (seen[0].data, seen[1].data), strict=True):
        assert (before != after).any(3).any(2).any(1).all()
    assert seen[1].data.requires_grad


def test_training_logs_the_probability_and_keeps_it_in_the_state() -> None:
    first, second, plain = (
        factories.train_model(factories.make_config("gan", "log.every_n_updates=1", *w, **DIGITS))
        for w in ((ADA,), (ADA,), ())
    )
    assert first.losses["augmentation/probability"] == pytest.approx(0.48)  # 48 of 100 images
    assert factories.weights_equal(*map(factories.copy_weights, (first, second)))
    assert first.state_dict()["ada.probability"].item() == pytest.approx(0.48)
    assert not any(name.startswith("ada") for name in plain.state_dict())
    assert "augmentation/probability" not in plain.losses


@pytest.mark.parametrize(
    ("model", "words", "sections", "said"),
    [
        ("gan", (ADA,), {}, "regularisation.ada needs images, and these data are points"),
        ("pix2pix", (ADA,), {}, "regularisation.ada would change images and their sources"),
        ("wgan", (ADA,), DIGITS, "regularisation.ada reads from a score whether"),
        ("ebgan", (ADA,), DIGITS, "regularisation.ada reads from a score whether"),
        ("gan", (ADA, "model.objective=relativistic"), DIGITS, "ada reads from a score whether"),
    ],
)
def test_mistakes(model: str, words: Any, sections: dict[str, Any], said: str) -> None:
    with pytest.raises((UserError, ValueError), match=said) as error:
        build(factories.make_config(model, *words, **sections))
    assert "\n" not in str(error.value)


def test_colours_need_one_or_three_channels() -> None:
    settings = {"regularisation": {"ada": {"enabled": True}}}
    kind = type(factories.make_gan("gan"))
    with pytest.raises(ValueError, match="transforms has brightness, which needs images of 1 or 3"):
        kind(settings, {"name": "dcgan", "width": 4}, (2, 16, 16))
    settings["regularisation"]["ada"]["transforms"] = ["flip"]  # type: ignore[assignment]
    kind(settings, {"name": "dcgan", "width": 4}, (2, 16, 16))
