"""The Inception network of published FIDs, with weights from a file that the user downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.errors import UserError, check_choice
from gan_lightning.utils.optional import require

__all__ = ["RESIZERS", "Inception", "InceptionNetwork", "inception_network"]

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
SOURCE = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
DOWNLOAD_HINT = f"download {SOURCE} (91 MiB)"

SIZE = 299
BATCH_SIZE = 50
"""Images per forward pass; 500 would take gigabytes at 299 x 299 pixels."""


def tf_bilinear(images: Tensor) -> Tensor:
    """Resize floats (N, C, H, W) to 299 x 299 as TensorFlow 1 does: corner-aligned, no filter."""
    from torch_fidelity import interpolate_compat_tensorflow as tensorflow

    resized: Tensor = tensorflow.interpolate_bilinear_2d_like_tensorflow1x(
        images, size=(SIZE, SIZE), align_corners=False
    )
    return resized


def antialias(images: Tensor) -> Tensor:
    """Resize floats (N, C, H, W) to 299 x 299 bilinearly, centre-aligned, with antialiasing."""
    size = (SIZE, SIZE)
    return interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


RESIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "tf_bilinear": tf_bilinear,
    "antialias": antialias,
}
"""Ways to resize images to the input size: that of the papers and torch-fidelity, and that of
torchmetrics."""


class InceptionNetwork:
    """Inception v3, trained in TensorFlow on 2015-12-05; frozen, in evaluation mode, in float32.

    It moves to the device of its inputs, and its features are the same on every device up to
    rounding: autocast and TF32, in which recent GPUs keep three digits of a convolution, are
    disabled.

    Args:
        weights: state_dict of torch-fidelity's FeatureExtractorInceptionV3.
        fingerprint: SHA-256 of the file of weights.

    Attributes:
        features_size: 2048, number of features of an image.
        classes: 1008.

    Raises:
        RuntimeError: the weights belong to another network.

    Source: Szegedy et al. 2016 (arXiv:1512.00567), ported by torch-fidelity
        (github.com/toshas/torch-fidelity).
    """

    features_size = 2048
    classes = 1008

    def __init__(self, weights: Mapping[str, Tensor], fingerprint: str) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        self.fingerprint = fingerprint
        # its constructor unpickles or downloads a file, so it gets a buffer of checked weights
        buffer = BytesIO()
        torch.save(weights, buffer)
        buffer.seek(0)
        # it initialises random weights first
        with isolated_randomness(0):
            network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=buffer
            )
        self._layers = nn.Sequential(
            *(layer for name, layer in network.named_children() if name != "fc")
        )
        self._classifier: Tensor = network.fc.weight

    @torch.no_grad()
    def __call__(self, images: Tensor, resizer: str) -> tuple[Tensor, Tensor]:
        """Compute features and logits of images.

        Args:
            images: uint8 (N, H, W, 3).
            resizer: one of `RESIZERS`.

        Returns:
            Features (N, 2048), at least 0, and logits (N, 1008) without bias, as the inception
            score requires; float32.

        Raises:
            ValueError: the images have another shape or dtype, or the resizer is unknown.
        """
        check_choice("resizer", resizer, RESIZERS)
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
            raise ValueError(
                f"images are {images.dtype} of shape {tuple(images.shape)}; they must be uint8 "
                "(N, H, W, 3)"
            )
        self._layers.to(images.device)
        self._classifier = self._classifier.to(images.device)
        cudnn = torch.backends.cudnn
        full_precision = cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False)
        with torch.autocast(images.device.type, enabled=False), full_precision:
            batches = images.split(BATCH_SIZE)
            features = torch.cat([self._features(batch, resizer) for batch in batches])
            return features, features @ self._classifier.T

    def _features(self, images: Tensor, resizer: str) -> Tensor:
        resized = RESIZERS[resizer](images.movedim(-1, 1).float())
        features: Tensor = self._layers((resized - 128) / 128).flatten(1)
        return features


class Inception(NamedTuple):
    """The Inception network and the way to resize images to its input.

    Args:
        network: from `inception_network`.
        resizer: one of `RESIZERS`.
    """

    network: InceptionNetwork
    resizer: str = "tf_bilinear"


def inception_network(path: str | None = None) -> InceptionNetwork | str:
    """Load the network from a file, by default from the folder of torch.hub's checkpoints.

    Nothing is downloaded. The file's checksum is verified before it is read, without unpickling.

    Args:
        path: file of the weights; None for the published name in $TORCH_HOME/hub/checkpoints.

    Returns:
        The network, which is cached; or, if there is no file in the default folder, a one-line
        message with the download's address and destination.

    Raises:
        UserError: the named file does not exist or has other content.
    """
    try:
        require("inception")
    except UserError as error:
        if path is None:
            return f"FID, KID and other Inception metrics are skipped: {error}"
        raise
    if path is None:
        default = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
        try:
            return _load(default.absolute())
        except ValueError as problem:
            return (
                f"FID, KID and other Inception metrics are skipped, because {default} {problem}; "
                f"{DOWNLOAD_HINT} to that path, or set evaluation.inception=PATH"
            )
    try:
        return _load(Path(path).expanduser().absolute())
    except ValueError as problem:
        raise UserError(
            f"evaluation.inception is {path!r}, which {problem}; {DOWNLOAD_HINT} and set its path"
        ) from problem


@cache
def _load(path: Path) -> InceptionNetwork:
    """Load the published weights.

    Raises:
        ValueError: the file has other content; the message continues a sentence about the file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError("does not exist") from error
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    checksum = sha256(content).hexdigest()
    if checksum != SHA256:
        raise ValueError(
            f"is damaged or another file (its SHA-256 begins with {checksum[:8]}, not {SHA256[:8]})"
        )
    try:
        weights = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        return InceptionNetwork(weights, checksum)
    except Exception as error:  # torch has no narrower exception for weights of another network
        raise ValueError(f"cannot be loaded ({type(error).__name__})") from error
