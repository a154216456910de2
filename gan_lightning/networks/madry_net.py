"""Convolutional network of the papers on adversarial examples."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

__all__ = ["INITIALISATIONS", "MadryNet"]

INITIALISATIONS = ("default", "truncated_normal")
"""PyTorch's initialisation, and that of the authors' code."""


def _truncated_normal(module: nn.Module) -> None:
    """Draw weights from N(0, 0.1^2), truncated at two standard deviations; set biases to 0.1."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.1, a=-0.2, b=0.2)
        assert module.bias is not None
        nn.init.constant_(module.bias, 0.1)


class MadryNet(nn.Module):
    """Two 5x5 convolutions of 32 and 64 channels with max pooling, and 1024 units; 28 pixels.

    Args:
        initialisation: one of `INITIALISATIONS`.

    Source: Madry et al. 2018 (arXiv:1706.06083), section 5, and its code
        (github.com/MadryLab/mnist_challenge).
    """

    classes: ClassVar[int] = 10

    def __init__(self, initialisation: str = "default") -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            *(nn.Linear(64 * 7 * 7, 1024), nn.ReLU()),
            nn.Linear(1024, self.classes),
        )
        if initialisation == "truncated_normal":
            self.apply(_truncated_normal)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 1, 28, 28) in [-1, 1] to class logits (N, 10)."""
        logits: Tensor = self.layers((images + 1) / 2)
        return logits
