"""The network of the digit classifier: folded batch norms, batch sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_lightning.evaluation.digits import BATCH_SIZE, DigitEvaluator
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


def test_digits_are_classified_in_small_batches() -> None:
    class RecordingNet(DigitNet):
        def features(self, images: Tensor) -> Tensor:
            sizes.append(len(images))
            return images.mean((2, 3)).expand(-1, self.features_size)

    sizes: list[int] = []
    evaluator = DigitEvaluator.__new__(DigitEvaluator)
    evaluator._network = RecordingNet()
    images = torch.rand(2 * BATCH_SIZE + 7, 1, 28, 28)
    features = evaluator._features(images)
    assert sizes == [BATCH_SIZE, BATCH_SIZE, 7]
    assert torch.equal(features[:, 0], images.mean((1, 2, 3)))
