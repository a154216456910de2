"""R3GAN's networks: sizes of the authors' presets, initialisation and resampling."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from gan_lightning.networks import ResNeXt, ResNeXtConfig
from gan_lightning.networks.resnext import GAIN, Resample, ResidualBlock

PRESETS = {  # of the authors' train.py: widths from the largest map on; all have groups of 16
    "cifar10": (32, [768] * 4),
    "ffhq64": (64, [384, *[768] * 4]),
    "ffhq256": (256, [96, 192, 384, *[768] * 4]),
}


def family(widths: list[int], **options: int) -> ResNeXt:
    return ResNeXt(ResNeXtConfig(widths=widths, **options))


def size(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def expected_sizes(widths: list[int]) -> tuple[int, int]:
    """Count the parameters of generator and discriminator from the authors' layers."""
    blocks = sum(2 * (4 * w * w + 9 * 16 * 2 * w + 2 * 2 * w) for w in widths)
    changes = sum(a * b for a, b in pairwise(widths) if a != b)
    smallest, largest = widths[-1], widths[0]
    generator = 16 * smallest + 64 * smallest + 3 * largest
    discriminator = 3 * largest + 16 * smallest + smallest
    return generator + blocks + changes, discriminator + blocks + changes


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_have_the_authors_numbers_of_parameters(preset: str) -> None:
    side, widths = PRESETS[preset]
    with torch.device("meta"):
        generator = family(widths).generator(64, (3, side, side))
        discriminator = family(widths).discriminator((3, side, side))
    assert (size(generator), size(discriminator)) == expected_sizes(widths)


def test_blocks_are_the_identity_at_first_and_scaled_by_their_number() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(64, 128, groups=4, blocks=16)
    maps = torch.randn(2, 64, 4, 4)
    assert torch.equal(block(maps), maps)
    convolutions = [layer for layer in block.layers if isinstance(layer, nn.Conv2d)]
    for layer in convolutions[:2]:
        inputs = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx(GAIN / 2 / math.sqrt(inputs), rel=0.05)
    assert not convolutions[2].weight.any()


def test_maps_are_halved_by_means_and_doubled_linearly() -> None:
    maps = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(Resample(4)(maps), nn.functional.avg_pool2d(maps, 2))
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    doubled = Resample(8)(ramp)[0, 0, 0]
    torch.testing.assert_close(doubled[1:-1], torch.arange(0.25, 3, 0.5))


def test_widths_are_one_or_one_per_stage_and_groups_fit() -> None:
    networks = family([16, 32, 64])
    networks.discriminator((1, 28, 28))
    with pytest.raises(ValueError, match=r"widths has 3 numbers, and images of 32 .* 4 stages"):
        networks.generator(8, (1, 32, 32))
    with pytest.raises(ValueError, match="group_width is 16, which does not divide the 20"):
        family([10])
