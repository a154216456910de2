"""The network of the digit classifier: folded batch norms, batch sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_lightning.evaluation.digits import AT_ONCE, DigitEvaluator
from gan_lightning.networks.digit_net import DigitNet


def trained() -> DigitNet:
    """Build a network with non-trivial running statistics and scales."""
    torch.manual_seed(0)
    network = DigitNet()
    for _ in range(3):
        network(torch.randn(16, 1, 28, 28) + 1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.uniform_(norm.bias, -1, 1)
    return network.eval()


def test_folding_norms_keeps_the_output() -> None:
    network = trained()
    images = torch.rand(20, 1, 32, 32) * 2 - 1
    with torch.no_grad():
        expected = network(images)
        network.fold()
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def test_digits_are_judged_a_cacheful_at_a_time() -> None:
    class Noting(DigitNet):
        def features(self, images: Tensor) -> Tensor:
            seen.append(len(images))
            return images.mean((2, 3)).expand(-1, self.features_size)

    seen: list[int] = []
    judge = DigitEvaluator.__new__(DigitEvaluator)
    judge._network = Noting()
    images = torch.rand(2 * AT_ONCE + 7, 1, 28, 28)
    features = judge._features(images)
    assert seen == [AT_ONCE, AT_ONCE, 7]
    assert torch.equal(features[:, 0], images.mean((1, 2, 3)))
