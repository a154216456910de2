"""How alike the generated images of one class are."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["WithinClassSimilarity", "class_pairs", "within_class_similarity"]

PAIRS = 100
SEED = 0

PUBLISHED_WEIGHTS = (0.0448, 0.2856, 0.3001)
"""Of the three finest scales of five."""
WEIGHTS = tuple(weight / sum(PUBLISHED_WEIGHTS) for weight in PUBLISHED_WEIGHTS)
WINDOW = 7
WINDOW_DEVIATION = 1.5 * WINDOW / 11
SMALLEST = 28
"""Pixels of height and width that three scales need under this window."""

ROWS = 500


class WithinClassSimilarity(SampleBuffer):
    """Mean multi-scale structural similarity (MS-SSIM) of pairs of images of one class.

    A generator that draws one image a class scores 1. Real images say how alike a class is by
    itself, so read the excess over them. It says nothing about quality: noise scores low. Between
    sets of 2,000 real digits it varies by 0.005 (standard deviation, measured).

    The metric holds as many generated images as there are real ones, the first, with the classes
    that they were asked to have. 100 pairs of each class that has two images stand for it. The
    pairs are a function of the classes, so that the same images give the same number.

    Args:
        real: (M, C, H, W) in [-1, 1], H and W at least 28.
        real_labels: int64 (M,).

    Raises:
        ValueError: a shape or type is another, or no class has two real images.

    Source: Odena, Olah, Shlens 2017 (arXiv:1610.09585), section 4.2: 100 random pairs within a
        class. MS-SSIM and its weights: Wang, Simoncelli, Bovik 2003
        (doi:10.1109/ACSSC.2003.1292216), as torchmetrics computes it.
    Deviations: digits of 28 pixels are too small for the published five scales under a Gaussian
        window of 11 pixels (standard deviation 1.5). Here are three scales, with the first three
        of the published weights divided by their sum, under a window of 7 pixels (standard
        deviation 1.5 * 7 / 11). The coarsest scale is padded by reflection, and a negative mean
        at a scale counts as 0. So compare values with ones of this metric only.
    """

    higher_is_better = False

    labels: Tensor
    real_similarity: Tensor

    def __init__(self, real: Tensor, real_labels: Tensor) -> None:
        _check_images("real images", real)
        _check_labels("real labels", real_labels, len(real))
        if not class_pairs(real_labels).numel():
            raise ValueError(
                f"no class has two of the {len(real)} real images: give more, so that there are "
                "pairs to compare"
            )
        super().__init__(len(real), real[0].numel())
        self.image_shape = real.shape[1:]
        self.add_state("labels", torch.zeros(len(real), dtype=torch.int64), dist_reduce_fx="sum")
        similarity = within_class_similarity(real, real_labels)
        self.register_buffer("real_similarity", similarity, persistent=False)

    def update(self, images: Tensor, labels: Tensor, first: int) -> None:
        """Add generated images.

        Args:
            images: (N, C, H, W) in [-1, 1].
            labels: class that each was asked to be of, int64 (N,).
            first: number of images[0] among all generated images, at least 0.

        Raises:
            ValueError: a shape or type is another, or first is negative.
        """
        if images.shape[1:] != self.image_shape:
            shape = ", ".join(str(size) for size in self.image_shape)
            raise ValueError(f"images have shape {tuple(images.shape)}; it must be (N, {shape})")
        _check_labels("labels", labels, len(images))
        rows = self.hold(images.flatten(1), first)
        self.labels[rows] += labels[: len(self.labels[rows])].to(self.labels)

    def compute(self) -> dict[str, Tensor]:
        """Return the similarities; a generated one is NaN where no class has two images.

        Returns:
            ms_ssim/within_class: of generated images, in [0, 1]; each class counts equally.
            ms_ssim/real: of the real images, in [0, 1].
            ms_ssim/excess: generated minus real, in [-1, 1]; near 1 where every class is one image.

        Raises:
            ValueError: there are no images, or two have one number.
        """
        images = self.samples().unflatten(1, self.image_shape)
        similarity = within_class_similarity(images, self.labels[self.filled == 1])
        return {
            "ms_ssim/within_class": similarity,
            "ms_ssim/real": self.real_similarity,
            "ms_ssim/excess": similarity - self.real_similarity,
        }


def within_class_similarity(images: Tensor, labels: Tensor) -> Tensor:
    """Return the mean MS-SSIM of the `class_pairs` of images.

    Args:
        images: (N, C, H, W) in [-1, 1], H and W at least 28.
        labels: int64 (N,).

    Returns:
        Scalar in [0, 1], on the images' device; NaN where there is no pair.
    """
    pairs = class_pairs(labels)
    if not pairs.numel():
        return torch.full((), torch.nan, device=images.device)
    # a GPU may round convolutions to three digits, which would drown small variances
    pixels = images.detach().cpu().float().add(1).div(2)
    found = [
        multiscale_structural_similarity_index_measure(
            pixels[one],
            pixels[other],
            sigma=WINDOW_DEVIATION,
            kernel_size=WINDOW,
            reduction="none",
            data_range=1.0,
            betas=WEIGHTS,
            normalize="relu",
        )
        for one, other in zip(*(rows.split(ROWS) for rows in pairs), strict=True)
    ]
    # a class has as many pairs as any other
    return torch.cat(found).mean().to(images.device)


def class_pairs(labels: Tensor) -> Tensor:
    """Draw 100 pairs of two different data of each class that has two, with replacement.

    The pairs depend on nothing but the labels.

    Args:
        labels: int64 (N,).

    Returns:
        Rows of the first and of the second of each pair, int64 (2, P), on the CPU.
    """
    labels = labels.cpu()
    generator = torch.Generator().manual_seed(SEED)
    pairs = [torch.empty(2, 0, dtype=torch.int64)]
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        if len(rows) < 2:
            continue
        one = torch.randint(len(rows), (PAIRS,), generator=generator)
        other = torch.randint(len(rows) - 1, (PAIRS,), generator=generator)
        # even among all but the first of the pair
        other = other + (other >= one)
        pairs.append(rows[torch.stack([one, other])])
    return torch.cat(pairs, dim=1)


def _check_images(name: str, images: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point() or 0 in images.shape:
        raise ValueError(
            f"{name} are {images.dtype} of shape {tuple(images.shape)}; they must be floats "
            "(N, C, H, W) in [-1, 1]"
        )
    if min(images.shape[2:]) < SMALLEST:
        raise ValueError(
            f"{name} are {images.shape[2]} x {images.shape[3]} pixels; three scales need at least "
            f"{SMALLEST} x {SMALLEST}: enlarge or pad them"
        )


def _check_labels(name: str, labels: Tensor, count: int) -> None:
    if labels.shape != (count,) or labels.is_floating_point():
        raise ValueError(
            f"{name} are {labels.dtype} of shape {tuple(labels.shape)}; they must be int64 "
            f"({count},), one of each image"
        )
