"""The Inception network of the published scores, from a file of weights that a person provides."""

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
FETCH = f"fetch {SOURCE} (91 MiB)"

SIZE = 299
BATCH = 50
"""Images that the network sees at once: 500 would take gigabytes at 299 x 299 pixels."""


def tf_bilinear(images: Tensor) -> Tensor:
    """Resize floats (N, C, H, W) to 299 x 299 as TensorFlow 1 did: corner to corner, no filter."""
    from torch_fidelity import interpolate_compat_tensorflow as tensorflow

    resized: Tensor = tensorflow.interpolate_bilinear_2d_like_tensorflow1x(
        images, size=(SIZE, SIZE), align_corners=False
    )
    return resized


def antialias(images: Tensor) -> Tensor:
    """Resize floats (N, C, H, W) to 299 x 299, filtered where they shrink; centres on centres."""
    size = (SIZE, SIZE)
    return interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


RESIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "tf_bilinear": tf_bilinear,
    "antialias": antialias,
}
"""Ways of resizing to the network's input: of the papers and torch-fidelity; of torchmetrics."""


class InceptionNetwork:
    """Inception v3 as trained in TensorFlow on 2015-12-05: fixed, in evaluation mode, in float32.

    It follows its inputs to their device, and computes the same features on each up to rounding:
    neither autocast applies nor TF32, in which recent GPUs keep three digits of a convolution.

    Args:
        weights: by name, of torch-fidelity's FeatureExtractorInceptionV3.
        fingerprint: SHA-256 of the file that they come from.

    Attributes:
        features_size: 2048, numbers that stand for an image.
        classes: 1008.

    Raises:
        RuntimeError: the weights are of another network.

    Source: Szegedy et al. 2016 (arXiv:1512.00567), ported by torch-fidelity
        (github.com/toshas/torch-fidelity).
    """

    features_size = 2048
    classes = 1008

    def __init__(self, weights: Mapping[str, Tensor], fingerprint: str) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        self.fingerprint = fingerprint
        # its constructor unpickles whatever a file holds, or downloads one: it gets our own bytes
        written = BytesIO()
        torch.save(weights, written)
        written.seek(0)
        # and it draws weights first
        with isolated_randomness(0):
            network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=written
            )
        self._layers = nn.Sequential(
            *(layer for name, layer in network.named_children() if name != "fc")
        )
        self._classifier: Tensor = network.fc.weight

    @torch.no_grad()
    def __call__(self, images: Tensor, resizer: str) -> tuple[Tensor, Tensor]:
        """Look at images.

        Args:
            images: uint8 (N, H, W, 3).
            resizer: one of `RESIZERS`.

        Returns:
            Features (N, 2048), at least 0, and logits (N, 1008) without the bias, whose softmax
            the inception score is made of; float32.

        Raises:
            ValueError: images are of another shape or type, or there is no such resizer.
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
        precise = cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False)
        with torch.autocast(images.device.type, enabled=False), precise:
            features = torch.cat([self._features(part, resizer) for part in images.split(BATCH)])
            return features, features @ self._classifier.T

    def _features(self, images: Tensor, resizer: str) -> Tensor:
        resized = RESIZERS[resizer](images.movedim(-1, 1).float())
        features: Tensor = self._layers((resized - 128) / 128).flatten(1)
        return features


class Inception(NamedTuple):
    """What images are looked at through.

    Args:
        network: from `inception_network`.
        resizer: one of `RESIZERS`.
    """

    network: InceptionNetwork
    resizer: str = "tf_bilinear"


def inception_network(path: str | None = None) -> InceptionNetwork | str:
    """Load the network from a file, or from where torch keeps what it downloads.

    Nothing is downloaded, and of a file only tensors are read, once its checksum is right.

    Args:
        path: of the file; None for $TORCH_HOME/hub/checkpoints.

    Returns:
        The network, one for all who ask for it; or, where the usual place does not have it, the
        line that says what to fetch and where to put it.

    Raises:
        UserError: there is no such file, or it is another one.
    """
    try:
        require("inception")
    except UserError as error:
        if path is None:
            return f"FID and its kin are not measured: {error}"
        raise
    if path is None:
        usual = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
        try:
            return _loaded(usual.absolute())
        except ValueError as problem:
            return (
                f"FID and its kin are not measured, as {usual} {problem}: {FETCH} and put it "
                "there, or set evaluation.inception=PATH"
            )
    try:
        return _loaded(Path(path).expanduser().absolute())
    except ValueError as problem:
        raise UserError(
            f"evaluation.inception is {path!r}, which {problem}; {FETCH} and give its path"
        ) from problem


@cache
def _loaded(path: Path) -> InceptionNetwork:
    """Load the published weights.

    Raises:
        ValueError: the file does not hold them; the message goes on after its name.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError("does not exist") from error
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    found = sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"is damaged or another file (its SHA-256 begins with {found[:8]}, not {SHA256[:8]})"
        )
    try:
        weights = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        return InceptionNetwork(weights, found)
    except Exception as error:  # torch names no narrower class for weights of another network
        raise ValueError(f"cannot be loaded ({type(error).__name__})") from error
