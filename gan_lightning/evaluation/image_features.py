"""The feature extractors of image measures: built-in ones by name, own ones by import path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import torch
from torch import Tensor, nn

from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.metrics.feature_extractor import FrozenNetwork
from gan_lightning.metrics.image_features import PixelFeatures, RandomFeatures
from gan_lightning.metrics.lite0 import Lite0Features
from gan_lightning.utils.import_path import import_object

__all__ = ["FEATURES", "ImageFeatures", "image_features"]

FEATURES: dict[str, Callable[[tuple[int, ...]], nn.Module]] = {
    "random": RandomFeatures,
    "pixels": PixelFeatures,
    "lite0": Lite0Features,
}
"""Name -> module for images of a shape (C, H, W)."""

TRAINED = {"lite0"}
"""Names of features of a trained network, which are used as they are."""

BATCH_SIZE = 125
"""Images per forward pass, whose feature maps then fit in the CPU cache."""

MAX_FEATURES = 4096
"""The Fréchet distance of more features would take minutes."""


@dataclass(frozen=True)
class ImageFeatures:
    """A frozen feature extractor.

    Args:
        network: images (N, C, H, W) in [-1, 1] -> features (N, D).
        size: D.
        label: its name in the names of measures.
        fingerprint: a hash of weights and code; equal fingerprints mean equal features.
        standardised: whether features are divided by their standard deviation over real images,
            so that each counts equally; those of a trained network are used as they are.
    """

    network: FrozenNetwork
    size: int
    label: str
    fingerprint: str
    standardised: bool

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to features (N, D), float32."""
        return self.network(images, self.size).float()


def image_features(name: str, shape: tuple[int, ...]) -> ImageFeatures:
    """Build a feature extractor by its name.

    Args:
        name: one of `FEATURES`, or `module:Name` of a class of `torch.nn.Module` or a function
            without arguments that returns a module; it maps images (N, C, H, W) in [-1, 1] to
            features (N, D).
        shape: shape of an image, (C, H, W).

    Raises:
        UserError: the name is unknown, or what it leads to gives no features for these images.
    """
    if name in FEATURES:
        network = FEATURES[name](shape)
        return _frozen(network, name, shape, standardised=name not in TRAINED)
    if ":" not in name:
        raise UserError(
            f"evaluation.features is {name!r}; valid are {nearest_first(name, FEATURES)}, or "
            f"module:Class of your own torch.nn.Module"
        )
    made_by = import_object(name)
    try:
        with isolated_randomness(0):
            network = made_by()
        if not isinstance(network, nn.Module):
            raise TypeError(f"it makes a {type(network).__name__}, not a torch.nn.Module")
        label = name.partition(":")[2]
        return _frozen(network, label, shape, standardised=False, source=made_by)
    except Exception as error:  # code of the user may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"evaluation.features is {name!r}, which gives no features of images of shape "
            f"{shape}: {reason}; it must be a class of torch.nn.Module without arguments that maps "
            f"(N, {', '.join(map(str, shape))}) to (N, D)"
        ) from error


def _frozen(
    network: nn.Module,
    label: str,
    shape: tuple[int, ...],
    standardised: bool,
    source: object | None = None,
) -> ImageFeatures:
    """Freeze a network, and find its number of features and its fingerprint.

    Raises:
        ValueError: it does not return (N, D).
    """
    frozen = FrozenNetwork(network, BATCH_SIZE)
    with torch.no_grad():
        features = frozen.network(torch.zeros(2, *shape))
    if features.ndim != 2 or len(features) != 2:
        raise ValueError(f"it maps 2 images to {tuple(features.shape)} instead of (2, D)")
    size = features.shape[1]
    if not 1 <= size <= MAX_FEATURES:
        raise ValueError(f"it has {size} features of an image; 1 to {MAX_FEATURES} are possible")
    return ImageFeatures(frozen, size, label, _fingerprint(network, source), standardised)


def _fingerprint(network: nn.Module, source: object | None) -> str:
    """Hash the weights and, of an own network, the text of its module."""
    digest = sha256(f"{type(network).__qualname__} 1".encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    module = inspect.getmodule(source) if source is not None else None
    if module is not None:
        try:
            digest.update(inspect.getsource(module).encode())
        except (OSError, TypeError):  # defined in a notebook
            digest.update(repr(network).encode())
    return digest.hexdigest()
