"""Classifier of the attributes of faces; a trained one is shipped, and judges generated faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from gan_lightning.assets.loader import read_classifier
from gan_lightning.classifiers.base import Classifier
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.networks.face_net import FaceNet, split_values
from gan_lightning.store.faces import ATTRIBUTES
from gan_lightning.types import DataSpec
from gan_lightning.utils.settings import setting

__all__ = [
    "AttributeClassifier",
    "AttributeClassifierConfig",
    "shipped_face_network",
]


@dataclass
class AttributeClassifierConfig:
    """Optimizer and data augmentation of the attribute classifier."""

    optimizer: OptimizerConfig = setting(
        OptimizerConfig(learning_rate=2e-3, betas=[0.9, 0.99]), "Optimizer of the classifier."
    )
    shift: int = setting(
        1, "Largest random shift of images in pixels, both ways; 0 for none.", minimum=0
    )
    noise: float = setting(
        0.05, "Largest standard deviation of Gaussian noise, drawn for each image.", minimum=0
    )


class AttributeClassifier(Classifier):
    """A small convolutional network that reads every attribute of a face.

    Noise makes it robust to the errors of a generator.

    Raises:
        ValueError: the data have no attributes, or only a labelled subset of them has.
    """

    Config: ClassVar[type[Any]] = AttributeClassifierConfig
    config: AttributeClassifierConfig

    def __init__(
        self, config: AttributeClassifierConfig, data: DataSpec, updates: int, seed: int = 0
    ) -> None:
        super().__init__(config, data, updates, seed)
        self.network = FaceNet(data.attribute_sizes)

    @property
    def attribute_sizes(self) -> tuple[int, ...]:
        """Number of values of each attribute that it reads."""
        return self.data.attribute_sizes

    def check_data(self, data: DataSpec) -> None:
        """Check that the data are colour images with attributes."""
        if not data.attribute_sizes or data.classes is None or data.shape[0] != 3:
            raise ValueError(
                "attribute_classifier needs colour images with attributes, all of them labelled; "
                "set data.name=faces, name data.attributes, and leave data.labelled at 0"
            )

    def loss_terms(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Compute the cross-entropy of the augmented images, summed over attributes."""
        inputs = _with_noise(_shifted(images, self.config.shift), self.config.noise)
        groups = split_values(self.network(inputs).float(), self.attribute_sizes)
        values = self.data.values_of(labels).unbind(1)
        losses = [
            cross_entropy(logits, value) for logits, value in zip(groups, values, strict=True)
        ]
        return {"cross_entropy": torch.stack(losses).sum()}


def _with_noise(images: Tensor, largest: float) -> Tensor:
    """Add Gaussian noise of a random standard deviation to each image (N, C, S, S)."""
    deviations = largest * torch.rand(len(images), 1, 1, 1, device=images.device)
    return images + deviations * torch.randn_like(images)


def _shifted(images: Tensor, largest: int) -> Tensor:
    """Shift a minibatch (N, C, S, S) at random, all images equally far; edges are repeated."""
    if not largest:
        return images
    top, left = torch.randint(2 * largest + 1, (2,)).tolist()
    height, width = images.shape[2:]
    padded = pad(images, (largest,) * 4, mode="replicate")
    return padded[..., top : top + height, left : left + width]


@cache
def shipped_face_network() -> FaceNet:
    """Load the shipped classifier of all attributes of cartoon faces, in the order of the store.

    It is frozen and in evaluation mode; it is loaded once and cached.

    Raises:
        UserError: the file is not the shipped one; it is checked before it is read.
    """
    weights = load_safetensors(read_classifier("face"))
    with isolated_randomness(0):  # its initial weights are drawn, and replaced
        network = FaceNet([len(values) for values in ATTRIBUTES.values()])
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)
