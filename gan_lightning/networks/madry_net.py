"""Convolutional network of the papers on adversarial examples."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

__all__ = ["MadryNet"]


class MadryNet(nn.Module):
    """Two 5x5 convolutions of 32 and 64 channels with max pooling, and 1024 units; 28 pixels.

    Source: Madry et al. 2018 (arXiv:1706.06083), section 5, and its code
        (github.com/MadryLab/mnist_challenge).
    """

    classes: ClassVar[int] = 10

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            *(nn.Linear(64 * 7 * 7, 1024), nn.ReLU()),
            nn.Linear(1024, self.classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 1, 28, 28) in [-1, 1] to class logits (N, 10)."""
        logits: Tensor = self.layers((images + 1) / 2)
        return logits
