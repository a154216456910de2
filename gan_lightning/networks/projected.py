"""Discriminators of pretrained features at four scales (Projected GAN)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import spectral_norm

from gan_lightning.metrics.lite0 import EfficientNetLite0
from gan_lightning.networks.base import Shape

__all__ = ["Lite0Maps", "ProjectedDiscriminator", "RandomMixing"]

STRIDES = (4, 8, 16, 32)
"""Pixels of an image, in one direction, for each position of the maps of a scale."""

FINAL_STRIDE = 64
"""The same for the scores, at every scale."""

MAX_WIDTH_FACTOR = 8
NEGATIVE_SLOPE = 0.2


class Lite0Maps(nn.Module):
    """The maps of a pretrained EfficientNet-Lite0 at four scales, which never change.

    Its weights are neither parameters, so that no optimizer has them, nor part of the state_dict,
    so that checkpoints do not hold what the package has. Its batch norms have fixed statistics and
    are folded into the convolutions, so that the training mode makes no difference.

    Args:
        side: height and width to which images are enlarged, a multiple of 64.

    Attributes:
        channels: of the maps of each scale, from the finest to the coarsest.

    Raises:
        UserError: the extra `lite0` is not installed, or its file is not the published one.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.network = EfficientNetLite0.pretrained()
        del self.network.head, self.network.classify
        self._taps = self.network.taps[1:]
        _fold_batch_norms(self.network)
        _make_buffers(self.network)
        self.train()
        smallest = torch.zeros(1, 3, STRIDES[-1], STRIDES[-1])
        self.channels = [maps.shape[1] for maps in self._scales(smallest)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images (N, C, H, W) in [-1, 1], C of 1 or 3, to the maps of each scale.

        Returns:
            (N, channels, side / 4, side / 4), then an eighth, a sixteenth and a 32nd of the side;
            with the graph of the images.
        """
        images = images.expand(-1, 3, -1, -1)
        if images.shape[-2:] != (self.side, self.side):
            size = (self.side, self.side)
            images = interpolate(images, size, mode="bilinear", align_corners=False)
        return self._scales(images)

    def _scales(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, H, W), of any size, to the maps of each scale."""
        return [
            maps for number, maps in enumerate(self.network.maps(images)) if number in self._taps
        ]


class RandomMixing(nn.Module):
    """Random projections of the maps of several scales, which never change: CCM and CSM.

    Cross-channel mixing is a 1x1 convolution at each scale. Cross-scale mixing adds to the maps of
    a scale those of the next coarser one, enlarged and convolved by 3x3. The weights are buffers;
    PyTorch's global generator draws them.

    Args:
        channels: of the maps of each scale, from the finest to the coarsest; they are kept.

    Source: Sauer, Chitta, Mueller, Geiger 2021 (arXiv:2111.01007), section 3.2.
    Deviations: the authors' code (github.com/autonomousvision/projected-gan) mixes to 64, 128, 256
        and 512 channels, adds before it enlarges, and convolves by 1x1 there; the mixed maps are
        then twice as large as those of the network.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.scales = len(channels)
        for number, count in enumerate(channels):
            self.register_buffer(f"across_channels_{number}", _kaiming(count, count, 1))
        for number, (fine, coarse) in enumerate(pairwise(channels)):
            self.register_buffer(f"across_scales_{number}", _kaiming(fine, coarse, 3))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Mix maps (N, channels, H, W) of each scale; each has half the side of the one before."""
        mixed = [
            conv2d(scale, self.get_buffer(f"across_channels_{number}"))
            for number, scale in enumerate(maps)
        ]
        for number in reversed(range(self.scales - 1)):
            coarser = interpolate(
                mixed[number + 1], scale_factor=2.0, mode="bilinear", align_corners=False
            )
            weight = self.get_buffer(f"across_scales_{number}")
            mixed[number] = mixed[number] + conv2d(coarser, weight, padding=1)
        return mixed


class ProjectedDiscriminator(nn.Module):
    """A small discriminator for each scale, of randomly mixed maps.

    Each has convolutions of stride 2 with spectral normalisation, as many as bring its maps to a
    64th of the image's side, and scores every position there.

    Args:
        channels: of the maps of each of four scales, from the finest to the coarsest.
        width: channels at an eighth of the image's side, doubled at each halving up to 8 times.

    Source: Sauer et al. 2021 (arXiv:2111.01007), section 3.2.
    Deviations: the authors' code has a batch norm behind each convolution, and here is one over the
        channels and positions of a sample, so that a score does not depend on the other samples.
        Its convolution that scores covers 4x4 positions without a border.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.mixing = RandomMixing(channels)
        self.scales = nn.ModuleList(
            _small_discriminator(count, stride, width)
            for count, stride in zip(channels, STRIDES, strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map maps (N, channels, H, W) of each scale to scores (N, positions), unbounded."""
        mixed = self.mixing(maps)
        return [scale(part).flatten(1) for scale, part in zip(self.scales, mixed, strict=True)]


def check_projected_shape(shape: Shape, side: int) -> None:
    """Check that images are grey or in colour, and not larger than those of the network.

    Args:
        shape: shape of a sample.
        side: to which images are enlarged.

    Raises:
        ValueError: they are not.
    """
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(
            f"a projected GAN sees images by a network for photographs, and the data have shape "
            f"{tuple(shape)}; it must be (1, H, W) or (3, H, W)"
        )
    if max(shape[1:]) > side:
        raise ValueError(
            f"feature_side is {side}, and the images have {shape[1]} x {shape[2]} pixels; set it "
            f"to their size or more"
        )


def _small_discriminator(channels: int, stride: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    while stride < FINAL_STRIDE:
        after = width * min(stride // STRIDES[0], MAX_WIDTH_FACTOR)
        convolution = spectral_norm(nn.Conv2d(channels, after, 4, 2, 1))
        layers += [convolution, nn.GroupNorm(1, after), nn.LeakyReLU(NEGATIVE_SLOPE)]
        channels, stride = after, 2 * stride
    layers.append(spectral_norm(nn.Conv2d(channels, 1, 1, bias=False)))
    return nn.Sequential(*layers)


def _kaiming(outputs: int, inputs: int, side: int) -> Tensor:
    """Draw the weights of a convolution, as He et al. 2015 (arXiv:1502.01852) do."""
    return nn.init.kaiming_normal_(torch.empty(outputs, inputs, side, side))


def _fold_batch_norms(network: nn.Module) -> None:
    """Fold each batch norm into the convolution before it, in evaluation mode."""
    for layers in list(network.modules()):
        if not isinstance(layers, nn.Sequential):
            continue
        for number, (layer, norm) in enumerate(pairwise(layers)):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                layers[number] = fuse_conv_bn_eval(layer, norm)
                layers[number + 1] = nn.Identity()


def _make_buffers(network: nn.Module) -> None:
    """Turn all parameters into buffers that are not part of the state_dict."""
    for module in network.modules():
        for name, weights in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weights.detach(), persistent=False)
