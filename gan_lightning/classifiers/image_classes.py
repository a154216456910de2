"""A small classifier of a dataset's own classes, trained in seconds, for measures of GANs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from gan_lightning.core.seeding import isolated_randomness

__all__ = ["ImageClassNet", "train_image_class_net"]

SIZE = 32
"""Height and width to which larger images are reduced."""
WIDTHS = (16, 32, 32)
BATCH_SIZE = 32
UPDATES = 400
LEARNING_RATE = 1e-2
"""Largest learning rate of a schedule that warms up and then decays (OneCycleLR)."""
WEIGHT_DECAY = 0.05
MAX_SHIFT = 2
"""Largest random shift of training images, in pixels of the reduced images."""


class ImageClassNet(nn.Module):
    """Three 3x3 convolutions with batch norm and max pooling, and a linear layer on 4 x 4 cells.

    Args:
        channels: channels of the images.
        classes: number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((channels, *WIDTHS)):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(WIDTHS[-1] * 16, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] of any size to logits (N, classes)."""
        logits: Tensor = self.head(self.trunk(reduced(images)))
        return logits


def reduced(images: Tensor) -> Tensor:
    """Average images (N, C, H, W) over squares, to at most 32 x 32 pixels."""
    height, width = (min(SIZE, side) for side in images.shape[2:])
    return images if max(images.shape[2:]) <= SIZE else adaptive_avg_pool2d(images, (height, width))


def train_image_class_net(
    images: Tensor,
    labels: Tensor,
    classes: int,
    mirror: bool = False,
    before_update: Callable[[], None] = lambda: None,
) -> dict[str, Tensor]:
    """Train the classifier on the CPU; random states are unchanged.

    Args:
        images: (M, C, H, W) in [-1, 1].
        labels: int64 (M,), in [0, classes).
        classes: number of classes.
        mirror: mirror half of the images.
        before_update: called before each update; it may raise to stop the training.

    Returns:
        The state_dict of an `ImageClassNet`, the same for the same arguments.
    """
    images = reduced(images).contiguous(memory_format=torch.channels_last)
    with isolated_randomness(0), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        network = ImageClassNet(images.shape[1], classes).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(
            network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, UPDATES)
        for _ in range(UPDATES):
            before_update()
            rows = torch.randint(len(images), (min(BATCH_SIZE, len(images)),))
            loss = cross_entropy(network(_augmented(images[rows], mirror)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: value.detach() for name, value in network.state_dict().items()}


def _augmented(images: Tensor, mirror: bool) -> Tensor:
    """Shift images, all equally far, and mirror half of them at random."""
    if mirror and torch.rand(()) < 0.5:
        images = images.flip(3)
    padded = nn.functional.pad(images, (MAX_SHIFT,) * 4, mode="replicate")
    top, left = torch.randint(2 * MAX_SHIFT + 1, (2,)).tolist()
    return padded[..., top : top + images.shape[2], left : left + images.shape[3]]
