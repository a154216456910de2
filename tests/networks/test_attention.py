"""Self-attention: equal to a loop over pixels, the identity at first, and where it can be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.gans import StandardGAN
from gan_lightning.networks import ResNet, ResNetConfig
from gan_lightning.networks.attention import SelfAttention
from gan_lightning.testing import check_gan, check_network
from gan_lightning.types import DataSpec


def maps(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_identity_at_first() -> None:
    data = maps(2, 16, 6, 6)
    assert torch.equal(SelfAttention(16).double()(data), data)


def test_each_pixel_gets_the_weighted_mean_of_all_values() -> None:
    torch.manual_seed(0)
    layer, data = SelfAttention(16).double(), maps(2, 16, 4, 6)
    nn.init.constant_(layer.factor, 0.7)
    queries, keys, values = layer.query(data), layer.key(data), layer.value(data)
    assert (queries.shape[1], keys.shape[1], values.shape[1]) == (2, 2, 8)
    expected = data.clone()
    for image in range(2):
        rows, columns = range(2), range(3)
        cells = [
            (slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))
            for row in rows
            for column in columns
        ]
        key, value = (
            torch.stack([part[image, :, *cell].flatten(1).max(1).values for cell in cells])
            for part in (keys, values)
        )
        for row in range(4):
            for column in range(6):
                weights = (key @ queries[image, :, row, column]).softmax(0)
                attended = layer.output.weight[:, :, 0, 0] @ (weights @ value)
                expected[image, :, row, column] += 0.7 * attended
    torch.testing.assert_close(layer(data), expected)


def count_attention(network: nn.Module) -> int:
    return sum(isinstance(module, SelfAttention) for module in network.modules())


@pytest.mark.parametrize(("size", "side"), [(16, 8), (32, 16), (64, 32), (64, 8)])
def test_both_players_have_one_layer(size: int, side: int) -> None:
    config: dict[str, Any] = {"width": 2, "attention": side}
    family = ResNet(ResNetConfig(**config))
    shape = (3, size, size)
    players = [family.conditional_generator(8, 3, shape), family.discriminator(shape)]
    sides: list[int] = []
    for player in players:
        assert count_attention(player) == 1
        (layer,) = (module for module in player.modules() if isinstance(module, SelfAttention))
        layer.register_forward_hook(lambda _, __, output: sides.append(output.shape[-1]))
    with torch.no_grad():
        players[1](players[0](torch.randn(2, 11)))
    assert sides == [side, side]


def test_networks_and_gans_with_it_have_all_properties() -> None:
    config: dict[str, Any] = {"width": 2, "attention": 8}
    check_network(ResNet, config=config, shapes=[(1, 16, 16)])
    networks = {"name": "resnet", **config}
    check_gan(StandardGAN, networks=networks, data=DataSpec((1, 16, 16)), processes=False)


def test_without_it_the_networks_are_as_before() -> None:
    family = ResNet(ResNetConfig(width=2))
    assert not count_attention(family.generator(8, (3, 32, 32)))
    assert not count_attention(family.discriminator((3, 32, 32)))


def test_a_side_that_no_maps_have_is_one_line() -> None:
    family = ResNet(ResNetConfig(attention=20))
    with pytest.raises(ValueError, match=r"attention is 20, .* valid are 0 for none, 8, 16, 32"):
        family.generator(8, (3, 32, 32))
    with pytest.raises(ValueError, match=r"attention is 20, .* valid are 0 for none, 16, 8"):
        family.discriminator((3, 32, 32))
