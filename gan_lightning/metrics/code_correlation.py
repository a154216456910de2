"""Correlation of continuous latent codes with slant and stroke width of generated digits."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad
from torchmetrics import Metric

from gan_lightning.metrics.codes import check_indices

__all__ = ["CodeCorrelation", "slant", "stroke_width"]

ATTRIBUTES = ("slant", "width")

MIN_INK = 1.0
"""In pixels of full ink; an image with less counts as blank."""
MIN_VERTICAL_VARIANCE = 1e-6
"""In squared pixels; flatter strokes have no slant."""
MIN_RELATIVE_VARIANCE = 1e-10
"""Variance over mean square; a smaller value is rounding error."""
MIN_GROUP_SIZE = 3


class CodeCorrelation(Metric):
    """Correlation of continuous codes with slant and stroke width of generated digits.

    Pearson's correlation is computed within each group of images, so that differences between
    digits do not count, and averaged over the groups, weighted by their numbers of images. A code
    that slants digits in opposite directions in two groups therefore cancels out. Left out are
    images without a slant or a width (for example blank ones), groups of fewer than 3 images, and
    groups in which the code or the attribute is constant.

    Args:
        codes: K, number of continuous codes.
        groups: number of values of the categorical code; 1 without a categorical code.

    Raises:
        ValueError: an argument is below 1.

    Source: Chen et al. 2016 (InfoGAN, arXiv:1606.03657), figure 2, which shows qualitatively that
        one code changes the slant of digits and another their width. The correlation is ours, and
        so are the degrees.
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
        # per group: sums of the products of (1, codes, attributes), that is counts, sums, squares
        # and cross products
        size = 1 + codes + len(ATTRIBUTES)
        moments = torch.zeros(groups, size, size, dtype=torch.float64)
        self.add_state("moments", moments, dist_reduce_fx="sum")

    def update(self, codes: Tensor, groups: Tensor, images: Tensor) -> None:
        """Add generated images.

        Args:
            codes: continuous codes that each image was generated from, (N, K).
            groups: categorical code that each image was generated from, int64 in [0, groups), (N,).
            images: (N, 1, H, W) in [-1, 1].

        Raises:
            ValueError: a shape or dtype is wrong, or a group is out of range.
        """
        check_indices("groups", groups, self.groups)
        attributes = torch.stack([slant(images), stroke_width(images)], dim=1)
        if codes.shape != (len(images), self.codes) or len(groups) != len(images):
            raise ValueError(
                f"codes have shape {tuple(codes.shape)} and groups {tuple(groups.shape)}; for "
                f"{len(images)} images they must be ({len(images)}, {self.codes}) and "
                f"({len(images)},)"
            )
        # to the metric's device first: not every device has float64
        attributes = attributes.to(self.moments.device).double()
        codes = codes.detach().to(self.moments.device).double()
        values = torch.cat([torch.ones_like(codes[:, :1]), codes, attributes], dim=1)
        valid = attributes.isfinite().all(dim=1)
        membership = one_hot(groups.long(), self.groups).to(values)[valid]
        self.moments += torch.einsum("ng,ni,nj->gij", membership, values[valid], values[valid])

    def compute(self) -> dict[str, Tensor]:
        """Return the correlations; NaN where no group has one.

        Returns:
            code/slant_correlation: largest absolute correlation of a code with the slant, in
                [0, 1].
            code/width_correlation: the same for the stroke width.
            code/slant_degrees: angle by which a code turns the strokes from its mean - 1 to its
                mean + 1, its range in training, in [0, 180]: by the regression line of the slant on
                the code in each group, averaged like the correlations; the largest of a code.
            code1/slant, code1/width, code2/slant, ...: correlation of each code, in [-1, 1].
        """
        correlations, turns = self._correlations()
        best = correlations.abs().nan_to_num(-1).amax(dim=0)
        best = torch.where(best < 0, torch.nan, best)
        values = {f"code/{name}_correlation": best[i] for i, name in enumerate(ATTRIBUTES)}
        values["code/slant_degrees"] = turns.abs().max()
        for number, row in enumerate(correlations, start=1):
            values |= {f"code{number}/{name}": row[i] for i, name in enumerate(ATTRIBUTES)}
        return values

    def _correlations(self) -> tuple[Tensor, Tensor]:
        """Average over the groups the correlations, (K, 2), and the degrees of the slant, (K,)."""
        counts = self.moments[:, 0, 0]
        means = self.moments / counts.clamp(min=1)[:, None, None]
        mean_squares = means.diagonal(dim1=1, dim2=2)[:, 1:]
        centres = means[:, 0, 1:]
        covariances = means[:, 1:, 1:] - centres[:, :, None] * centres[:, None, :]
        variances = covariances.diagonal(dim1=1, dim2=2)
        varies = (variances > MIN_RELATIVE_VARIANCE * mean_squares) & (counts >= MIN_GROUP_SIZE)[
            :, None
        ]

        of_code, of_attribute = slice(None, self.codes), slice(self.codes, None)
        scales = variances.clamp(min=0).sqrt()
        scales = scales[:, of_code, None] * scales[:, None, of_attribute]
        valid = varies[:, of_code, None] & varies[:, None, of_attribute]
        correlations = (covariances[:, of_code, of_attribute] / scales).clamp(-1, 1)
        weights = valid * counts[:, None, None]
        slopes = covariances[:, of_code, self.codes] / variances[:, of_code]
        middle = centres[:, None, self.codes]
        turns = ((middle + slopes).atan() - (middle - slopes).atan()).rad2deg()
        means_of = [
            (torch.where(valid, values, 0) * weights).sum(dim=0) / weights.sum(dim=0)
            for values in (correlations, turns[..., None])
        ]
        return means_of[0], means_of[1][:, 0]


def slant(images: Tensor) -> Tensor:
    r"""Compute how far strokes lean to the right, from the moments of the ink.

    The slant is the shear -mu11 / mu02 of the central moments, with y pointing down: pixels to the
    right per pixel upwards, so that "/" is positive and "\" negative. Shearing an image by s pixels
    per row adds s. The intensity of the ink has no influence.

    Args:
        images: (N, 1, H, W) in [-1, 1]; ink is (x + 1) / 2.

    Returns:
        Pixels per pixel, (N,); NaN for an image with less than one pixel of ink, or with ink in
        one row only.

    Raises:
        ValueError: the images have another shape, or are not floating point.

    Source: LeCun, Bottou, Bengio, Haffner 1998 (Gradient-based learning applied to document
        recognition), who deslant digits by shearing them until the principal axis of these moments
        is upright; the slant is then 0.
    """
    ink = _ink(images)
    total = ink.sum(dim=(1, 2))
    rows = torch.arange(ink.shape[1]).to(ink)[:, None]
    columns = torch.arange(ink.shape[2]).to(ink)
    # sums instead of matrix products, which a GPU may round to three digits
    y = rows - ((ink * rows).sum(dim=(1, 2)) / total)[:, None, None]
    x = columns - ((ink * columns).sum(dim=(1, 2)) / total)[:, None, None]
    vertical_variance = (ink * y * y).sum(dim=(1, 2)) / total
    shear = -(ink * y * x).sum(dim=(1, 2)) / total / vertical_variance
    undefined = (total < MIN_INK) | (vertical_variance < MIN_VERTICAL_VARIANCE)
    return torch.where(undefined, torch.nan, shear)


def stroke_width(images: Tensor) -> Tensor:
    """Compute the mean width of strokes: twice the ink over the length of its outline.

    A bar of width w and length l gives about w l / (w + l), because the outline includes its ends.
    A line thinner than a pixel and a half comes out wider where it is spread over two pixels. The
    outline's length is the total variation of the ink, averaged over four directions, so that grey
    edges count in proportion and the intensity of the ink has no influence. It is the same for an
    image and its mirror image, hence independent of the sign of the slant.

    Args:
        images: (N, 1, H, W) in [-1, 1]; ink is (x + 1) / 2.

    Returns:
        Pixels, (N,); NaN for an image with less than one pixel of ink.

    Raises:
        ValueError: the images have another shape, or are not floating point.

    Source: the Cauchy-Crofton formula, with the directions of rows, columns and diagonals.
    """
    ink = _ink(images)
    total = ink.sum(dim=(1, 2))
    # strokes may touch the border
    padded = pad(ink, (1, 1, 1, 1))
    straight = _variation(padded[:, 1:] - padded[:, :-1])
    straight = straight + _variation(padded[:, :, 1:] - padded[:, :, :-1])
    diagonal = _variation(padded[:, 1:, 1:] - padded[:, :-1, :-1])
    diagonal = diagonal + _variation(padded[:, 1:, :-1] - padded[:, :-1, 1:])
    # a direction crosses a line with probability |cos| of their angle, whose mean is 2 / pi
    outline = math.pi / 2 * (straight + diagonal / math.sqrt(2)) / 4
    return torch.where(total < MIN_INK, torch.nan, 2 * total / outline)


def _variation(differences: Tensor) -> Tensor:
    """Sum the absolute differences (N, *shape) of each image, (N,)."""
    return differences.abs().flatten(1).sum(dim=1)


def _ink(images: Tensor) -> Tensor:
    """Return the ink (N, H, W) in [0, 1]."""
    if images.ndim != 4 or images.shape[1] != 1 or not images.is_floating_point():
        raise ValueError(
            f"images are {images.dtype} of shape {tuple(images.shape)}; they must be floating "
            "point (N, 1, H, W) in [-1, 1]"
        )
    return images.detach().float().add(1).div(2).squeeze(1)
