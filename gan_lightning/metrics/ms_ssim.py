"""Multi-scale structural similarity of generated images within a class."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import LabelledSampleBuffer

__all__ = ["WithinClassSimilarity", "class_pairs", "within_class_similarity"]

PAIRS = 100
SEED = 0

PUBLISHED_WEIGHTS = (0.0448, 0.2856, 0.3001)
"""Of the three finest of five scales."""
WEIGHTS = tuple(weight / sum(PUBLISHED_WEIGHTS) for weight in PUBLISHED_WEIGHTS)
WINDOW = 7
WINDOW_DEVIATION = 1.5 * WINDOW / 11
MIN_PIXELS = 28
"""Height and width that three scales need with this window."""

BATCH_SIZE = 500


class WithinClassSimilarity(LabelledSampleBuffer):
    """Mean multi-scale structural similarity (MS-SSIM) of pairs of images of the same class.

    It measures a lack of diversity: a generator with a single output per class scores 1. Because
    real images of a class are similar too, interpret the excess over their similarity. The score
    says nothing about quality; noise scores low. Between sets of 2,000 real digits it varies by
    0.005 (standard deviation, measured).

    The metric stores as many generated images as there are real ones, with the labels that they
    were generated for, and compares 100 pairs of each class that has at least two images. The
    pairs are a function of the labels, so that the same images give the same value.

    Args:
        real: (M, C, H, W) in [-1, 1], H and W at least 28.
        real_labels: int64 (M,).

    Raises:
        ValueError: a shape or dtype is wrong, or no class has two real images.

    Source: Odena, Olah, Shlens 2017 (arXiv:1610.09585), section 4.2: 100 random pairs within a
        class. MS-SSIM and its weights: Wang, Simoncelli, Bovik 2003
        (doi:10.1109/ACSSC.2003.1292216), as computed by torchmetrics.
    Deviations: digits of 28 pixels are too small for the published five scales with a Gaussian
        window of 11 pixels (standard deviation 1.5). This metric has three scales, with the first
        three of the published weights divided by their sum, and a window of 7 pixels (standard
        deviation 1.5 * 7 / 11). The coarsest scale is padded by reflection, and a negative mean
        at a scale counts as 0. Its values are therefore comparable with each other only.
    """

    higher_is_better = False

    real_similarity: Tensor

    def __init__(self, real: Tensor, real_labels: Tensor) -> None:
        _check_images("real images", real)
        _check_labels("real labels", real_labels, len(real))
        if not class_pairs(real_labels).numel():
            raise ValueError(
                f"no class has two of the {len(real)} real images, so there are no pairs to "
                "compare; pass more images"
            )
        super().__init__(len(real), real[0].numel())
        self.image_shape = real.shape[1:]
        similarity = within_class_similarity(real, real_labels)
        self.register_buffer("real_similarity", similarity, persistent=False)

    def update(self, images: Tensor, labels: Tensor, first_index: int) -> None:
        """Add generated images.

        Args:
            images: (N, C, H, W) in [-1, 1].
            labels: class that each image was generated for, int64 (N,).
            first_index: index of images[0] among all generated images, at least 0.

        Raises:
            ValueError: a shape or dtype is wrong, or first_index is negative.
        """
        if images.shape[1:] != self.image_shape:
            shape = ", ".join(str(size) for size in self.image_shape)
            raise ValueError(f"images have shape {tuple(images.shape)}; it must be (N, {shape})")
        _check_labels("labels", labels, len(images))
        self.store_labelled(images.flatten(1), labels, first_index)

    def compute(self) -> dict[str, Tensor]:
        """Return the similarities; NaN for generated images if no class has two of them.

        Returns:
            ms_ssim/within_class: of generated images, in [0, 1]; each class has equal weight.
            ms_ssim/real: of the real images, in [0, 1].
            ms_ssim/excess: generated minus real, in [-1, 1]; near 1 if every class is one image.

        Raises:
            ValueError: there are no images, or two images have the same index.
        """
        images, labels = self.labelled_samples()
        similarity = within_class_similarity(images.unflatten(1, self.image_shape), labels)
        return {
            "ms_ssim/within_class": similarity,
            "ms_ssim/real": self.real_similarity,
            "ms_ssim/excess": similarity - self.real_similarity,
        }


def within_class_similarity(images: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean MS-SSIM of the `class_pairs` of images.

    Args:
        images: (N, C, H, W) in [-1, 1], H and W at least 28.
        labels: int64 (N,).

    Returns:
        Scalar in [0, 1], on the images' device; NaN if there is no pair.
    """
    from torchmetrics.functional.image import (  # takes a second
        multiscale_structural_similarity_index_measure,
    )

    pairs = class_pairs(labels)
    if not pairs.numel():
        return torch.full((), torch.nan, device=images.device)
    # on the CPU: a GPU may round convolutions to three digits, more than small variances have
    pixels = images.detach().cpu().float().add(1).div(2)
    similarities = [
        multiscale_structural_similarity_index_measure(
            pixels[first_rows],
            pixels[second_rows],
            sigma=WINDOW_DEVIATION,
            kernel_size=WINDOW,
            reduction="none",
            data_range=1.0,
            betas=WEIGHTS,
            normalize="relu",
        )
        for first_rows, second_rows in zip(*(rows.split(BATCH_SIZE) for rows in pairs), strict=True)
    ]
    # every class has the same number of pairs, hence the same weight
    return torch.cat(similarities).mean().to(images.device)


def class_pairs(labels: Tensor) -> Tensor:
    """Draw 100 pairs of two different samples of each class that has two, with replacement.

    The pairs depend on the labels only.

    Args:
        labels: int64 (N,).

    Returns:
        Row of the first and of the second sample of each pair, int64 (2, P), on the CPU.
    """
    labels = labels.cpu()
    generator = torch.Generator().manual_seed(SEED)
    pairs = [torch.empty(2, 0, dtype=torch.int64)]
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        if len(rows) < 2:
            continue
        first = torch.randint(len(rows), (PAIRS,), generator=generator)
        second = torch.randint(len(rows) - 1, (PAIRS,), generator=generator)
        # skips the first of the pair, uniform over the others
        second = second + (second >= first)
        pairs.append(rows[torch.stack([first, second])])
    return torch.cat(pairs, dim=1)


def _check_images(name: str, images: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point() or 0 in images.shape:
        raise ValueError(
            f"{name} are {images.dtype} of shape {tuple(images.shape)}; they must be floating "
            "point (N, C, H, W) in [-1, 1]"
        )
    if min(images.shape[2:]) < MIN_PIXELS:
        raise ValueError(
            f"{name} are {images.shape[2]} x {images.shape[3]} pixels; three scales need at least "
            f"{MIN_PIXELS} x {MIN_PIXELS}; enlarge or pad them"
        )


def _check_labels(name: str, labels: Tensor, count: int) -> None:
    if labels.shape != (count,) or labels.is_floating_point():
        raise ValueError(
            f"{name} are {labels.dtype} of shape {tuple(labels.shape)}; they must be int64 "
            f"({count},), one per image"
        )
