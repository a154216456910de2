"""Sliced Wasserstein distance between image patches of several scales."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = [
    "PatchProjector",
    "SlicedWasserstein",
    "band_deviations",
    "laplacian_pyramid",
    "sliced_wasserstein",
]

SEED = 0
PATCH = 7
PATCHES = 8
DIRECTIONS = 64
SMALLEST = 16
"""The pyramid ends before the height or width falls below this."""
KERNEL = (0.0625, 0.25, 0.375, 0.25, 0.0625)


def sliced_wasserstein(projected_a: Tensor, projected_b: Tensor) -> Tensor:
    """Average the Wasserstein-1 distances of two sets of points along directions.

    In one dimension the optimal transport pairs the sorted points.

    Args:
        projected_a: projections of N points onto K directions, (N, K).
        projected_b: the same of as many other points, (N, K).

    Returns:
        Scalar, float64, at least 0.

    Source: Rabin, Peyré, Delon, Bernot 2011 (Wasserstein barycenter and its application to texture
        mixing), equation 6; with distances instead of their squares, as in Karras et al. 2018.
    """
    pairs = zip(projected_a.unbind(1), projected_b.unbind(1), strict=True)
    # one direction at a time needs little memory
    distances = [(a.sort().values - b.sort().values).abs().double().mean() for a, b in pairs]
    return torch.stack(distances).mean()


def laplacian_pyramid(images: Tensor) -> list[Tensor]:
    """Split images into bands of detail from fine to coarse, and the low-pass rest.

    Args:
        images: (N, C, H, W).

    Returns:
        Images of H, H / 2, ... rows, the last of which has fewer than 32 rows or columns; each but
        the last is the difference of an image and its blurred half.

    Source: Burt, Adelson 1983 (The Laplacian pyramid as a compact image code).
    """
    bands = []
    while min(images.shape[2:]) >= 2 * SMALLEST:
        half = _blur(images)[..., ::2, ::2]
        expanded = torch.zeros_like(images)
        expanded[..., ::2, ::2] = 4 * half
        bands.append(images - _blur(expanded))
        images = half
    return [*bands, images]


def band_deviations(images: Tensor) -> Tensor:
    """Compute the standard deviation of each band and channel of the pyramids, (bands, C).

    A channel that is constant, or nearly, gets a hundredth of the largest deviation of its band.

    Args:
        images: (N, C, H, W).
    """
    deviations = [band.double().std(dim=(0, 2, 3)) for band in laplacian_pyramid(images.float())]
    return torch.stack([each.clamp(min=max(1e-2 * float(each.max()), 1e-6)) for each in deviations])


class PatchProjector:
    """Projects random patches of the Laplacian pyramid of images onto random directions.

    The positions of the patches of an image are a function of its index, and the directions are
    fixed, so that the global random state is neither used nor changed.

    Args:
        shape: shape of an image, (C, H, W).
        units: units of the projections, (bands, C): the `band_deviations` of real images.
        capacity: number of images that can be projected.
    """

    def __init__(self, shape: tuple[int, ...], units: Tensor, capacity: int) -> None:
        self.capacity = capacity
        bands = laplacian_pyramid(torch.zeros(1, *shape))
        self.sizes = [int(band.shape[2]) for band in bands]
        rng = np.random.RandomState(SEED)
        self._directions, self._corners = [], []
        for band, unit in zip(bands, units.cpu().double(), strict=True):
            sides = np.array(band.shape[2:])
            patch = min(PATCH, *sides)
            directions = rng.standard_normal((shape[0], patch * patch, DIRECTIONS))
            directions /= np.sqrt((directions**2).sum(axis=(0, 1)))
            scaled = torch.from_numpy(directions) / unit[:, None, None]
            self._directions.append(scaled.float().flatten(0, 1))
            corners = rng.randint(0, sides - patch + 1, (capacity, PATCHES, 2))
            self._corners.append(torch.from_numpy(corners))

    @property
    def size(self) -> int:
        """Number of projections of an image: bands x patches x directions."""
        return len(self.sizes) * PATCHES * DIRECTIONS

    def __call__(self, images: Tensor, first_index: int) -> Tensor:
        """Project images; those with an index of `capacity` or more are left out.

        Args:
            images: (N, C, H, W).
            first_index: index of images[0].

        Returns:
            (N, size), float32: for each band and patch, the projections onto all directions.
        """
        images = images[: max(0, self.capacity - first_index)].float()
        if not len(images):
            return images.new_zeros(0, self.size)
        rows = slice(first_index, first_index + len(images))
        parts = []
        for band, directions, corners in zip(
            laplacian_pyramid(images), self._directions, self._corners, strict=True
        ):
            patches = _cut(band, corners[rows].to(band.device), min(PATCH, *band.shape[2:]))
            parts.append((patches @ directions.to(band.device)).flatten(1))
        return torch.cat(parts, dim=1)

    def bands(self, projections: Tensor) -> dict[int, Tensor]:
        """Return the projections (N, size) by the height of the band, each (N patches, K)."""
        shape = (len(projections), len(self.sizes), PATCHES, DIRECTIONS)
        by_band = projections.reshape(shape).unbind(1)
        return {size: band.flatten(0, 1) for size, band in zip(self.sizes, by_band, strict=True)}


class SlicedWasserstein(ReferenceSampleBuffer):
    """Sliced Wasserstein distance of patches of generated and real images, at several scales.

    Patches of 7 x 7 pixels from every band of the images' Laplacian pyramids are projected onto 64
    random directions, and the Wasserstein-1 distances along them averaged. Fine bands compare
    sharpness and noise, the coarsest one large structures. The unit is the standard deviation of
    the pixels of real images in the band. The distance depends on the number of images, so compare
    values of equal numbers.

    Args:
        projector: projects the patches.
        real: projections (M, size) of real images; the metric stores those of the first M generated
            images.

    Raises:
        ValueError: the projections have another size.

    Source: Karras, Aila, Laine, Lehtinen 2018 (arXiv:1710.10196), section 5 and appendix A.2, on
        sliced distances of Rabin et al. 2011.
    Deviations: 8 patches of an image and 64 directions instead of 128 and 512, and fewer images,
        for speed. Both sides have the units of the real one; theirs are normalised each by itself,
        which forgives a wrong brightness or contrast. Not multiplied by 1,000.
    """

    higher_is_better = False

    def __init__(self, projector: PatchProjector, real: Tensor) -> None:
        if real.shape[1:] != (projector.size,):
            raise ValueError(
                f"real has shape {tuple(real.shape)}; it must be (M, {projector.size})"
            )
        super().__init__(real)
        self.projector = projector

    def update(self, images: Tensor, first_index: int) -> None:
        """Add generated images.

        Args:
            images: (N, C, H, W).
            first_index: index of images[0] among all generated images, at least 0.

        Raises:
            ValueError: the images have another shape, or first_index is negative.
        """
        self.store(self.projector(images, first_index), first_index)

    def compute(self) -> dict[str, Tensor]:
        """Return `mean`, and the distance of each band by the band's height; float64, at least 0.

        Raises:
            ValueError: there are no images, or two images have the same index.
        """
        generated = self.samples()
        sides = (self.projector.bands(side) for side in (generated, self.real[: len(generated)]))
        ours, theirs = sides
        distances = {str(size): sliced_wasserstein(ours[size], theirs[size]) for size in ours}
        return {"mean": torch.stack(list(distances.values())).mean(), **distances}


def _blur(images: Tensor) -> Tensor:
    """Convolve each channel with the binomial kernel of five rows and columns."""
    kernel = torch.tensor(KERNEL, device=images.device)
    channels = images.shape[1]
    weights = (kernel[:, None] * kernel).expand(channels, 1, -1, -1)
    return conv2d(pad(images, (2, 2, 2, 2), mode="reflect"), weights, groups=channels)


def _cut(images: Tensor, corners: Tensor, size: int) -> Tensor:
    """Cut square patches: images (N, C, H, W), corners (N, P, 2) -> (N, P, C size^2)."""
    offsets = torch.arange(size, device=images.device)
    rows = (corners[..., :1] + offsets)[..., :, None]
    columns = (corners[..., 1:] + offsets)[..., None, :]
    numbers = torch.arange(len(images), device=images.device)[:, None, None, None]
    # dimensions that are indexed come first: (N, P, size, size, C)
    return images[numbers, :, rows, columns].movedim(-1, 2).flatten(2)
