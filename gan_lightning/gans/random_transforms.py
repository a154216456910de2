"""Random transformations of images, each with a probability, that draw equally in all processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from gan_lightning.distributed.collectives import shared_normal, shared_uniform

__all__ = ["COLOURS", "GEOMETRY", "TRANSFORMS", "random_transforms"]

MAX_TRANSLATION = 1 / 8
"""Bound of the translation by whole pixels, as a share of a side."""

SCALE_DEVIATION, SHIFT_DEVIATION = 0.2, 1 / 8
"""Standard deviations: of the binary logarithm of a scale, of a shift as a share of a side."""

BRIGHTNESS_DEVIATION, CONTRAST_DEVIATION, SATURATION_DEVIATION = 0.2, 0.5, 1.0
"""Standard deviations: of what is added, and of the binary logarithms of two factors."""

CUTOUT_SIDE = 1 / 2
"""Side of the square that `cutout` zeroes, as a share of the image's side."""


@dataclass
class Draws:
    """Random numbers of a minibatch, one for each image.

    Args:
        count: number of images of this process.
        device: of the numbers.
        probability: with which an image has a transformation; a number or a scalar tensor.
    """

    count: int
    device: torch.device
    probability: Tensor | float

    def uniform(self, low: float, high: float) -> Tensor:
        """Draw numbers in [low, high), (count,)."""
        return low + (high - low) * shared_uniform(self.count, self.device)

    def normal(self, deviation: float) -> Tensor:
        """Draw normally distributed numbers of mean 0, (count,)."""
        return deviation * shared_normal((self.count,), self.device)

    def chosen(self, probability: Tensor | float | None = None) -> Tensor:
        """Draw which images have a transformation, bool, (count,)."""
        probability = self.probability if probability is None else probability
        return shared_uniform(self.count, self.device) < probability

    def probability_on_device(self) -> Tensor:
        """Return the probability as a scalar tensor, for which no host waits."""
        if isinstance(self.probability, Tensor):
            return self.probability
        return torch.full((), self.probability, device=self.device)

    def sometimes(self, values: Tensor, neutral: float) -> Tensor:
        """Return the values of the images that have the transformation, else a neutral one."""
        return torch.where(self.chosen(), values, neutral)


def random_transforms(
    images: Tensor, names: Sequence[str], probability: Tensor | float = 1.0
) -> Tensor:
    """Apply random transformations to each image, each with a probability of its own draw.

    Geometric transformations come first, as one interpolation, then colours, then the cutout,
    whatever the order of the names. An image for which none is drawn stays as it is.

    Args:
        images: (N, C, H, W) in [-1, 1], of 1 or 3 channels for colours; their graph is kept.
        names: of TRANSFORMS.
        probability: of each transformation; a scalar tensor is not read by the CPU.

    Returns:
        (N, C, H, W), at least float32; colours may leave [-1, 1].

    Source: Karras et al. 2020 (arXiv:2006.06676), appendix B, and the authors' code
        (github.com/NVlabs/stylegan2-ada-pytorch, training/augment.py).
    Deviations: images are interpolated bilinearly and continued by reflection at their edges, where
        the code resamples them at twice the size with a wavelet's low-pass filter; filters of
        frequency bands and additive noise, which the paper's default leaves out, are missing.
    """
    draws = Draws(len(images), images.device, probability)
    images = images.to(torch.promote_types(images.dtype, torch.float32))
    with torch.autocast(images.device.type, enabled=False):
        height, width = images.shape[2:]
        matrices = [each(draws, height, width) for name, each in GEOMETRY if name in names]
        if matrices:
            images = _warp(images, _product(matrices))
        colours = [each(draws) for name, each in COLOURS.items() if name in names]
        if colours:
            images = _recolour(images, _product(colours[::-1]))
        if "cutout" in names:
            images = _cut_out(images, draws)
    return images


# --- geometry: matrices (N, 3, 3) that map positions in the result to positions in the image, in
# pixels from the centre. Each is distributed as its inverse is.


def flip(draws: Draws, height: int, width: int) -> Tensor:
    """Mirror left and right, with probability 1/2 where it is chosen."""
    side = draws.sometimes(1 - 2 * draws.uniform(0, 2).floor(), 1)
    return _matrix([[side, 0, 0], [0, 1, 0], [0, 0, 1]])


def rotate_quarters(draws: Draws, height: int, width: int) -> Tensor:
    """Rotate by 0, 90, 180 or 270 degrees."""
    return _rotation(draws.sometimes(math.pi / 2 * draws.uniform(0, 4).floor(), 0))


def translate(draws: Draws, height: int, width: int) -> Tensor:
    """Translate by whole pixels, up to an eighth of each side."""
    bound, chosen = MAX_TRANSLATION, draws.chosen()
    across, down = ((draws.uniform(-bound, bound) * side).round() for side in (width, height))
    return _matrix([[1, 0, chosen * across], [0, 1, chosen * down], [0, 0, 1]])


def scale(draws: Draws, height: int, width: int) -> Tensor:
    """Scale both sides by one factor."""
    factor = draws.sometimes(draws.normal(SCALE_DEVIATION).exp2(), 1)
    return _matrix([[factor, 0, 0], [0, factor, 0], [0, 0, 1]])


def rotate(draws: Draws, height: int, width: int) -> Tensor:
    """Rotate by any angle; two such rotations together have the probability."""
    angle = draws.uniform(-math.pi, math.pi)
    rest = 1 - draws.probability_on_device().clamp(0, 1)
    return _rotation(torch.where(draws.chosen(1 - rest.sqrt()), angle, 0.0))


def stretch(draws: Draws, height: int, width: int) -> Tensor:
    """Scale one side by a factor, and the other one by its inverse."""
    factor = draws.sometimes(draws.normal(SCALE_DEVIATION).exp2(), 1)
    return _matrix([[factor, 0, 0], [0, 1 / factor, 0], [0, 0, 1]])


def shift(draws: Draws, height: int, width: int) -> Tensor:
    """Translate by fractions of pixels."""
    chosen = draws.chosen()
    across, down = (draws.normal(SHIFT_DEVIATION) * side for side in (width, height))
    return _matrix([[1, 0, chosen * across], [0, 1, chosen * down], [0, 0, 1]])


GEOMETRY: tuple[tuple[str, Callable[[Draws, int, int], Tensor]], ...] = (
    ("flip", flip),
    ("quarter_rotation", rotate_quarters),
    ("translation", translate),
    ("scale", scale),
    ("rotation", rotate),
    ("stretch", stretch),
    ("rotation", rotate),
    ("shift", shift),
)
"""Geometric transformations in their order; one rotation is before the stretch, one after it."""


# --- colours: matrices (N, 4, 4) that map colours (red, green, blue, 1)


def brightness(draws: Draws) -> Tensor:
    """Add a number to all channels."""
    more = draws.sometimes(draws.normal(BRIGHTNESS_DEVIATION), 0)
    return _matrix([[1, 0, 0, more], [0, 1, 0, more], [0, 0, 1, more], [0, 0, 0, 1]])


def contrast(draws: Draws) -> Tensor:
    """Multiply all channels by a factor."""
    factor = draws.sometimes(draws.normal(CONTRAST_DEVIATION).exp2(), 1)
    return _matrix([[factor, 0, 0, 0], [0, factor, 0, 0], [0, 0, factor, 0], [0, 0, 0, 1]])


def flip_luma(draws: Draws) -> Tensor:
    """Negate the grey part of a colour, with probability 1/2 where it is chosen."""
    side = draws.sometimes(1 - 2 * draws.uniform(0, 2).floor(), 1)
    return _along_grey(side, torch.ones_like(side))


def rotate_hue(draws: Draws) -> Tensor:
    """Rotate colours about the grey axis by any angle."""
    angle = draws.sometimes(draws.uniform(-math.pi, math.pi), 0)
    cosine, sine = angle.cos(), angle.sin() / math.sqrt(3)
    equal = (1 - cosine) / 3
    same, before, after = equal + cosine, equal - sine, equal + sine
    return _matrix(
        [[same, before, after, 0], [after, same, before, 0], [before, after, same, 0], [0, 0, 0, 1]]
    )


def saturation(draws: Draws) -> Tensor:
    """Multiply the difference of a colour from its grey part by a factor."""
    factor = draws.sometimes(draws.normal(SATURATION_DEVIATION).exp2(), 1)
    return _along_grey(torch.ones_like(factor), factor)


COLOURS: dict[str, Callable[[Draws], Tensor]] = {
    "brightness": brightness,
    "contrast": contrast,
    "luma_flip": flip_luma,
    "hue": rotate_hue,
    "saturation": saturation,
}
"""Changes of colours, in their order."""

TRANSFORMS: tuple[str, ...] = (*dict.fromkeys(name for name, _ in GEOMETRY), *COLOURS, "cutout")
"""Names of all transformations."""


def _along_grey(along: Tensor, across: Tensor) -> Tensor:
    """Scale the part of a colour along the grey axis, and the rest, by a factor each."""
    other = (along - across) / 3
    same = other + across
    return _matrix(
        [[same, other, other, 0], [other, same, other, 0], [other, other, same, 0], [0, 0, 0, 1]]
    )


def _rotation(angle: Tensor) -> Tensor:
    cosine, sine = angle.cos(), angle.sin()
    return _matrix([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _matrix(rows: Sequence[Sequence[Tensor | float]]) -> Tensor:
    """Stack numbers and tensors (N,) to matrices (N, rows, columns)."""
    like = next(entry for row in rows for entry in row if isinstance(entry, Tensor))
    entries = [
        entry if isinstance(entry, Tensor) else torch.full_like(like, entry)
        for row in rows
        for entry in row
    ]
    return torch.stack(entries, 1).view(len(like), len(rows), -1)


def _product(matrices: Sequence[Tensor]) -> Tensor:
    product = matrices[0]
    for matrix in matrices[1:]:
        product = product @ matrix
    return product


def _warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Look up each pixel of the result where a matrix says; images of the identity stay."""
    height, width = images.shape[2:]
    (xx, xy, x), (yx, yy, y) = (row.unbind(1) for row in matrices[:, :2].unbind(1))
    in_halves = _matrix(  # positions from -1 to 1, as affine_grid counts
        [[xx, xy * height / width, 2 * x / width], [yx * width / height, yy, 2 * y / height]]
    )
    grid = affine_grid(in_halves.to(images.dtype), list(images.shape), align_corners=False)
    warped = grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    identity = torch.eye(3, device=images.device)
    unchanged = (matrices == identity).all(2).all(1).view(-1, 1, 1, 1)
    return torch.where(unchanged, images, warped)


def _recolour(images: Tensor, matrices: Tensor) -> Tensor:
    """Map the colours of each image; grey images as those of three equal channels."""
    matrices = matrices.to(images.dtype)
    linear, constant = matrices[:, :3, :3], matrices[:, :3, 3]
    if images.shape[1] == 1:
        linear, constant = linear.sum(2).mean(1)[:, None, None], constant.mean(1)[:, None]
    return torch.einsum("nij,njhw->nihw", linear, images) + constant[:, :, None, None]


def _cut_out(images: Tensor, draws: Draws) -> Tensor:
    """Zero a square of half the side about a random position."""
    chosen, masks = draws.chosen(), []
    for length in images.shape[2:]:
        centre = draws.uniform(0, 1)
        position = (torch.arange(length, device=images.device) + 0.5) / length
        masks.append((position - centre[:, None]).abs() < CUTOUT_SIDE / 2)
    inside = masks[0][:, :, None] & masks[1][:, None, :] & chosen[:, None, None]
    return images.masked_fill(inside[:, None], 0)
