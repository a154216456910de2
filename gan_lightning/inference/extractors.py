"""Feature extractors of the evaluator of images, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_lightning.assets.loader import CLASSIFIERS
from gan_lightning.classifiers.attributes import shipped_face_network
from gan_lightning.classifiers.digits import shipped_network
from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.data.base import to_float_nchw
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.evaluation.image_features import MAX_FEATURES, image_features
from gan_lightning.evaluation.inception import inception_network
from gan_lightning.inference.image_sources import Shape
from gan_lightning.inference.vision_transformers import TRANSFORMERS, vision_transformer
from gan_lightning.utils.import_path import import_object
from gan_lightning.utils.optional import missing_modules

__all__ = ["EXTRACTORS", "Extractor", "default_extractor", "open_extractor"]

BATCH_SIZE = 125
"""Images per forward pass, whose feature maps then fit in the CPU cache."""

DIGITS_SIZES = (28, 32)
FACE_SIZE = 32
"""Least size of the images that the classifier of faces reads."""

Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Extractor:
    """A frozen map from images to features.

    Attributes:
        name: as the user writes it.
        features: maps images, float (N, C, H, W) in [-1, 1], to features (N, D).
        fingerprint: equal fingerprints mean equal features.
        standardised: whether features are divided by their standard deviation over the reference.
    """

    name: str
    features: Features
    fingerprint: str
    standardised: bool = False

    @torch.no_grad()
    def of_floats(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to features (N, D), float32.

        Raises:
            UserError: they are no finite features of shape (N, D).
        """
        cudnn = torch.backends.cudnn
        # in full precision: recent GPUs keep three digits of a convolution otherwise
        with cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False):
            found = torch.cat([self.features(part).float() for part in images.split(BATCH_SIZE)])
        if found.ndim != 2 or len(found) != len(images) or found.shape[1] > MAX_FEATURES:
            raise UserError(
                f"--extractor {self.name} maps {len(images)} images to {tuple(found.shape)}; it "
                f"must be (N, D) with D at most {MAX_FEATURES}"
            )
        if not found.isfinite().all():
            raise UserError(f"--extractor {self.name} returns features that are NaN or infinite")
        return found

    def __call__(self, images: Tensor) -> Tensor:
        """Map images uint8 (N, H, W, C) to features (N, D), float32, on the CPU."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return self.of_floats(to_float_nchw(images.to(device))).cpu()


def default_extractor(reference: str, shape: Shape) -> str:
    """Return the name of the extractor that fits a reference best.

    Args:
        reference: name of the reference.
        shape: of the images that are compared.
    """
    name = reference.removesuffix(":test").removeprefix("torchvision:")
    own = {"mnist": "digits", "MNIST": "digits", "faces": "faces"}
    own |= {"fashion_mnist": "clothes", "FashionMNIST": "clothes"}
    if name in own and _fits(own[name], shape):
        return own[name]
    return "random" if missing_modules("lite0") else "lite0"


def open_extractor(name: str, shape: Shape, weights: Path | None = None) -> Extractor:
    """Build an extractor by its name.

    Args:
        name: one of `EXTRACTORS`, or `module:Name` of a torch.nn.Module without arguments or of a
            function. It maps images, float (N, 3, H, W) in [0, 1], to features (N, D); attributes
            `channels` and `value_range` declare other inputs.
        shape: of the images.
        weights: file of the weights of inception, dinov2 or clip.

    Raises:
        UserError: the name is unknown, images of this shape do not fit, or weights or a package are
            missing.
    """
    if name in EXTRACTORS:
        if weights is not None and name not in WEIGHTS:
            raise UserError(
                f"--weights belongs to --extractor {', '.join(WEIGHTS)}; {name} has its own"
            )
        return EXTRACTORS[name](name, shape, weights)
    if ":" in name:
        return _own(name, shape)
    raise UserError(
        f"--extractor is {name!r}; valid are {nearest_first(name, EXTRACTORS)}, or module:Net of "
        f"your own"
    )


def _fits(name: str, shape: Shape) -> bool:
    if name == "faces":
        return shape.channels == 3 and shape.size >= FACE_SIZE
    return shape.channels == 1 and shape.size in DIGITS_SIZES


def _classifier(name: str, shape: Shape, _: Path | None) -> Extractor:
    """Return the features of a classifier that the package contains."""
    if not _fits(name, shape):
        needed = (
            f"colour images of at least {FACE_SIZE} pixels"
            if name == "faces"
            else "grey images of 28 or 32 pixels; set --size 28 and --channels 1"
        )
        raise UserError(
            f"--extractor {name} does not read images of {shape.size} pixels with "
            f"{shape.channels} channels; it reads {needed}"
        )
    key = {"digits": "digit", "clothes": "clothes", "faces": "face"}[name]
    network = shipped_face_network() if key == "face" else shipped_network(key)
    return Extractor(name, _on_device(network, network.features), CLASSIFIERS[key].sha256)


def _of_any_images(name: str, shape: Shape, _: Path | None) -> Extractor:
    """Return the features that `evaluation.features` names."""
    found = image_features(name, (shape.channels, shape.size, shape.size))
    return Extractor(name, found, found.fingerprint, found.standardised)


def _inception(name: str, _: Shape, weights: Path | None) -> Extractor:
    """Return the features of Inception, of torch-fidelity's file of weights."""
    network = inception_network(None if weights is None else str(weights))
    if isinstance(network, str):
        reason = network.partition("skipped")[2].lstrip(":, ")
        raise UserError(f"--extractor inception has no weights: {reason}; pass them by --weights")

    def features(images: Tensor) -> Tensor:
        pixels = ((images.expand(-1, 3, -1, -1) + 1) * 127.5).round().clamp(0, 255)
        found, _ = network(pixels.to(torch.uint8).movedim(1, -1), "tf_bilinear")
        return found

    return Extractor(name, features, f"{network.fingerprint} tf_bilinear")


def _transformer(name: str, _: Shape, weights: Path | None) -> Extractor:
    """Return the features of DINOv2 or CLIP, of timm's file of weights."""
    network, fingerprint = vision_transformer(name, weights)
    return Extractor(name, _on_device(network, network), fingerprint)


def _own(name: str, shape: Shape) -> Extractor:
    """Return the features of a module or function of the user."""
    made_by = import_object(name)
    try:
        with isolated_randomness(0):
            net = made_by() if isinstance(made_by, type) else made_by
        if isinstance(net, nn.Module):
            net.eval().requires_grad_(False)
        low, high = getattr(net, "value_range", (0, 1))
        channels = int(getattr(net, "channels", 3))

        def features(images: Tensor) -> Tensor:
            if images.shape[1] != channels:
                images = (
                    images.expand(-1, channels, -1, -1)
                    if images.shape[1] == 1
                    else images.mean(dim=1, keepdim=True)
                )
            found: Tensor = net((images + 1) / 2 * (high - low) + low)
            return found

        extractor = Extractor(name, _on_device(net, features), _fingerprint(net, made_by))
        extractor(torch.zeros(2, shape.size, shape.size, shape.channels, dtype=torch.uint8))
    except UserError:
        raise
    except Exception as error:  # code of the user may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"--extractor {name} gives no features: {reason}; it must be a torch.nn.Module without "
            f"arguments, or a function, that maps (N, 3, H, W) in [0, 1] to (N, D)"
        ) from error
    return extractor


def _on_device(network: object, features: Features) -> Features:
    """Move a module to the device of its images before it is called."""

    def moved(images: Tensor) -> Tensor:
        if isinstance(network, nn.Module):
            network.to(images.device)
        with torch.autocast(images.device.type, enabled=False):
            return features(images)

    return moved


def _fingerprint(net: object, made_by: object) -> str:
    """Hash the weights of a module of the user, and the text of its file."""
    digest = sha256()
    if isinstance(net, nn.Module):
        for key, value in net.state_dict().items():
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    module = inspect.getmodule(made_by)
    try:
        digest.update(inspect.getsource(module or made_by).encode())  # type: ignore[arg-type]
    except (OSError, TypeError):  # defined in a notebook
        digest.update(repr(net).encode())
    return digest.hexdigest()


WEIGHTS = ("inception", *TRANSFORMERS)
"""Names of extractors whose weights are a file of the user."""

EXTRACTORS: dict[str, Callable[[str, Shape, Path | None], Extractor]] = {
    **dict.fromkeys(("digits", "clothes", "faces"), _classifier),
    **dict.fromkeys(("random", "pixels", "lite0"), _of_any_images),
    "inception": _inception,
    **dict.fromkeys(TRANSFORMERS, _transformer),
}
"""Name -> function that builds an extractor for images of a shape."""
