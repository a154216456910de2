"""Convolutions of small maps equal PyTorch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_lightning.networks.small_maps import SmallMapConv2d, SmallMapConvTranspose2d

PAIRS = [(nn.Conv2d, SmallMapConv2d), (nn.ConvTranspose2d, SmallMapConvTranspose2d)]
FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize(("plain", "small"), PAIRS)
@pytest.mark.parametrize("side", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("kernel", "padding", "bias"), [(5, 1, True), (5, 2, False), (4, 1, True)])
def test_outputs_and_gradients_equal_those_of_pytorch(
    plain: type[nn.Conv2d],
    small: type[nn.Conv2d],
    side: int,
    memory_format: torch.memory_format,
    kernel: int,
    padding: int,
    bias: bool,
) -> None:
    torch.manual_seed(0)
    if plain is nn.Conv2d and side + 2 * padding < kernel:
        side += kernel
    expected = plain(3, 6, kernel, 2, padding, bias=bias).double()
    layer = small(3, 6, kernel, 2, padding, bias=bias).double()
    layer.load_state_dict(expected.state_dict())
    maps = torch.randn(4, 3, side, side, dtype=torch.double)
    maps = maps.to(memory_format=memory_format).requires_grad_()
    pair = layer(maps), expected(maps)
    torch.testing.assert_close(*pair)
    assert side == 1 or pair[0].is_contiguous(memory_format=memory_format)
    first, second = (
        torch.autograd.grad((output**3).sum(), [maps, *module.parameters()], create_graph=True)
        for output, module in zip(pair, (layer, expected), strict=True)
    )
    torch.testing.assert_close(first, second)
    # the gradient of a gradient penalty
    again = [
        torch.autograd.grad(parts[0].square().sum(), module.weight)[0]
        for parts, module in ((first, layer), (second, expected))
    ]
    torch.testing.assert_close(*again)
    layer.eval()
    assert torch.equal(layer(maps), pair[1])
