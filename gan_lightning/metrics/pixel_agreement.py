"""Agreement of the two images of a generated pair."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["PixelAgreement"]


class PixelAgreement(Metric):
    """Fraction of pixels, binarised, in which the two images of generated pairs agree.

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), section 4.1: the first image of a pair, translated
        by the known map, is compared with the second.
    Deviations: the paper does not define when two pixels have the same value; here both are
        thresholded at the middle of the range. The agreement of mismatched pairs is reported for
        comparison, because edge images are mostly dark whatever the digit.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    matched: Tensor
    mismatched: Tensor
    pixels: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("matched", "mismatched", "pixels"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, translated: Tensor, second: Tensor) -> None:
        """Add pairs.

        Args:
            translated: first image of each pair, translated to the second domain, (N, C, H, W) in
                [-1, 1].
            second: second image of each pair, (N, C, H, W) in [-1, 1].

        Raises:
            ValueError: the shapes differ.
        """
        if translated.shape != second.shape:
            raise ValueError(
                f"the images of pairs have shapes {tuple(translated.shape)} and "
                f"{tuple(second.shape)}; the shapes must be equal"
            )
        bright, second_bright = translated > 0, second > 0
        self.matched += (bright == second_bright).sum()
        self.mismatched += (bright.roll(1, 0) == second_bright).sum()
        self.pixels += second.numel()

    def compute(self) -> dict[str, Tensor]:
        """Return `pairs/agreement` and `pairs/agreement_mismatched`, in [0, 1]."""
        return {
            "pairs/agreement": self.matched / self.pixels,
            "pairs/agreement_mismatched": self.mismatched / self.pixels,
        }
