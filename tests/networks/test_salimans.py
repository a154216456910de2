"""The layers of the semi-supervised GAN's networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from gan_lightning.networks.salimans import GaussianNoise, WeightNormLinear


@pytest.mark.parametrize("learnable_scale", [True, False])
def test_weight_norm_equals_that_of_torch(learnable_scale: bool) -> None:
    layer = WeightNormLinear(7, 5, scale=1.5, learnable_scale=learnable_scale).double()
    nn.init.normal_(layer.bias)
    reference = weight_norm(nn.Linear(7, 5).double())
    norm, direction = reference.parametrizations.weight.parameters()
    norm.data, direction.data = layer.scale.data.clone(), layer.direction.data.clone()
    reference.bias.data = layer.bias.data.clone()
    inputs, weights = torch.randn(4, 7).double(), torch.randn(4, 5).double()
    for each in (layer, reference):
        (each(inputs).tanh() * weights).sum().backward()
    torch.testing.assert_close(layer(inputs), reference(inputs))
    torch.testing.assert_close(layer.direction.grad, direction.grad)
    torch.testing.assert_close(layer.bias.grad, reference.bias.grad)
    if learnable_scale:
        torch.testing.assert_close(layer.scale.grad, norm.grad)


def test_noise_has_its_deviation_in_training_and_none_in_evaluation() -> None:
    noise = GaussianNoise(0.3)
    values = torch.full((100_000,), 2.0)
    noisy = noise(values)
    assert noisy.mean().item() == pytest.approx(2.0, abs=0.005)
    assert noisy.std().item() == pytest.approx(0.3, rel=0.02)
    assert noise.eval()(values) is values
