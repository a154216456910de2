"""Slant and width of pen strokes, and how closely continuous codes follow them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad
from torchmetrics import Metric

from gan_lightning.metrics.codes import check_indices

__all__ = ["CodeCorrelation", "slant", "stroke_width"]

ATTRIBUTES = ("slant", "width")

# in pixels of full ink: an image with less is blank
LEAST_INK = 1.0
# squared pixels: strokes that are less tall have no slant
LEAST_HEIGHT = 1e-6
# variance over mean square: what is below it is rounding
LEAST_SPREAD = 1e-10
FEWEST = 3


class CodeCorrelation(Metric):
    """Correlation of continuous codes with the slant and the stroke width of generated digits.

    Pearson's correlation is computed within each group of images, so that a digit's own slant and
    width do not count, and averaged over the groups with their numbers of images as weights. A
    code that turns digits one way in one group and the other way in another cancels itself. Images
    without a slant or a width, such as blank ones, are left out; so is a group of fewer than 3
    images, and one where the code or the attribute is constant.

    Args:
        codes: K, continuous codes of an image.
        groups: values of the categorical code; 1 where there is none.

    Raises:
        ValueError: a number is not positive.

    Source: Chen et al. 2016 (InfoGAN, arXiv:1606.03657), figure 2, which shows by pictures that
        one code turns digits and another widens them. The correlation is ours.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    moments: Tensor

    def __init__(self, codes: int, groups: int = 1) -> None:
        super().__init__()
        if codes < 1 or groups < 1:
            raise ValueError(f"codes is {codes} and groups is {groups}; both must be at least 1")
        self.codes = codes
        self.groups = groups
        # sums of the products of (1, codes, attributes): numbers, sums, squares and mixed products
        size = 1 + codes + len(ATTRIBUTES)
        moments = torch.zeros(groups, size, size, dtype=torch.float64)
        self.add_state("moments", moments, dist_reduce_fx="sum")

    def update(self, codes: Tensor, groups: Tensor, images: Tensor) -> None:
        """Add generated images.

        Args:
            codes: continuous codes that each was generated from, (N, K).
            groups: categorical code that each was generated from, int64 in [0, groups), (N,).
            images: (N, 1, H, W) in [-1, 1].

        Raises:
            ValueError: a shape or type is another, or a group is out of range.
        """
        check_indices("groups", groups, self.groups)
        attributes = torch.stack([slant(images), stroke_width(images)], dim=1)
        if codes.shape != (len(images), self.codes) or len(groups) != len(images):
            raise ValueError(
                f"codes have shape {tuple(codes.shape)} and groups {tuple(groups.shape)}; for "
                f"{len(images)} images they must be ({len(images)}, {self.codes}) and "
                f"({len(images)},)"
            )
        # moved first: not every device has float64
        measured = attributes.to(self.moments.device).double()
        drawn = codes.detach().to(self.moments.device).double()
        values = torch.cat([torch.ones_like(drawn[:, :1]), drawn, measured], dim=1)
        kept = measured.isfinite().all(dim=1)
        members = one_hot(groups.long(), self.groups).to(values)[kept]
        self.moments += torch.einsum("ng,ni,nj->gij", members, values[kept], values[kept])

    def compute(self) -> dict[str, Tensor]:
        """Return the correlations, NaN where no group has one.

        Returns:
            code/slant_correlation: of slant and the code that follows it best, without its sign,
                in [0, 1].
            code/width_correlation: likewise, of stroke width.
            code1/slant, code1/width, code2/slant, ...: of each code, in [-1, 1].
        """
        correlations = self._correlations()
        best = correlations.abs().nan_to_num(-1).amax(dim=0)
        best = torch.where(best < 0, torch.nan, best)
        found = {f"code/{name}_correlation": best[i] for i, name in enumerate(ATTRIBUTES)}
        for number, row in enumerate(correlations, start=1):
            found |= {f"code{number}/{name}": row[i] for i, name in enumerate(ATTRIBUTES)}
        return found

    def _correlations(self) -> Tensor:
        """Average the groups, (K, 2)."""
        counts = self.moments[:, 0, 0]
        means = self.moments / counts.clamp(min=1)[:, None, None]
        squares = means.diagonal(dim1=1, dim2=2)[:, 1:]
        centres = means[:, 0, 1:]
        covariances = means[:, 1:, 1:] - centres[:, :, None] * centres[:, None, :]
        variances = covariances.diagonal(dim1=1, dim2=2)
        varies = (variances > LEAST_SPREAD * squares) & (counts >= FEWEST)[:, None]

        of_code, of_attribute = slice(None, self.codes), slice(self.codes, None)
        scales = variances.clamp(min=0).sqrt()
        scales = scales[:, of_code, None] * scales[:, None, of_attribute]
        valid = varies[:, of_code, None] & varies[:, None, of_attribute]
        within = (covariances[:, of_code, of_attribute] / scales).clamp(-1, 1)
        weights = valid * counts[:, None, None]
        return (torch.where(valid, within, 0) * weights).sum(dim=0) / weights.sum(dim=0)


def slant(images: Tensor) -> Tensor:
    r"""Return how far strokes lean to the right, by the moments of the ink.

    It is the shear -mu11 / mu02 of the central moments, y counted downwards: pixels to the right
    for each pixel upwards, so that "/" is positive and "\" negative. To shear an image by s pixels
    a row adds s to it. How dark the ink is does not count.

    Args:
        images: (N, 1, H, W) in [-1, 1]; ink is (x + 1) / 2.

    Returns:
        Pixels a pixel, (N,); NaN of an image that has less than one pixel of ink, or ink in one
        row only.

    Raises:
        ValueError: images are of another shape, or not floats.

    Source: LeCun, Bottou, Bengio, Haffner 1998 (Gradient-based learning applied to document
        recognition), whose deslanted digits are sheared until the principal axis of these moments
        is upright. It is then 0.
    """
    ink = _ink(images)
    total = ink.sum(dim=(1, 2))
    rows = torch.arange(ink.shape[1]).to(ink)[:, None]
    columns = torch.arange(ink.shape[2]).to(ink)
    # by no matrix product, which a GPU may round to three digits
    y = rows - ((ink * rows).sum(dim=(1, 2)) / total)[:, None, None]
    x = columns - ((ink * columns).sum(dim=(1, 2)) / total)[:, None, None]
    height = (ink * y * y).sum(dim=(1, 2)) / total
    shear = -(ink * y * x).sum(dim=(1, 2)) / total / height
    return torch.where((total < LEAST_INK) | (height < LEAST_HEIGHT), torch.nan, shear)


def stroke_width(images: Tensor) -> Tensor:
    """Return the mean width of strokes, as twice the ink over the length of its outline.

    A bar of width w and length l gives about w l / (w + l): the outline goes round its ends too. A
    line that is thinner than a pixel and a half comes out wider where it is spread over two. The
    outline's length is the total variation of the ink, so that grey edges count by parts, and
    how dark the ink is does not count. It is the mean over four directions of how often the ink
    changes along them, which is the same for an image and its mirror image: slant does not enter.

    Args:
        images: (N, 1, H, W) in [-1, 1]; ink is (x + 1) / 2.

    Returns:
        Pixels, (N,); NaN of an image that has less than one pixel of ink.

    Raises:
        ValueError: images are of another shape, or not floats.

    Source: the Cauchy-Crofton formula, with the directions of rows, columns and diagonals.
    """
    ink = _ink(images)
    total = ink.sum(dim=(1, 2))
    # strokes may touch the border
    wide = pad(ink, (1, 1, 1, 1))
    straight = _sum(wide[:, 1:] - wide[:, :-1]) + _sum(wide[:, :, 1:] - wide[:, :, :-1])
    diagonal = _sum(wide[:, 1:, 1:] - wide[:, :-1, :-1])
    diagonal = diagonal + _sum(wide[:, 1:, :-1] - wide[:, :-1, 1:])
    # a direction meets a line at |cos| of their angle, whose mean is 2 / pi
    outline = math.pi / 2 * (straight + diagonal / math.sqrt(2)) / 4
    return torch.where(total < LEAST_INK, torch.nan, 2 * total / outline)


def _sum(changes: Tensor) -> Tensor:
    """Add up changes (N, *shape) whatever their sign, (N,)."""
    return changes.abs().flatten(1).sum(dim=1)


def _ink(images: Tensor) -> Tensor:
    """Return (N, H, W) in [0, 1]."""
    if images.ndim != 4 or images.shape[1] != 1 or not images.is_floating_point():
        raise ValueError(
            f"images are {images.dtype} of shape {tuple(images.shape)}; they must be floats "
            "(N, 1, H, W) in [-1, 1]"
        )
    return images.detach().float().add(1).div(2).squeeze(1)
