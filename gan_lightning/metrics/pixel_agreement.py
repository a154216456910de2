"""Whether two images that should be the same one in two forms are."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["PixelAgreement"]


class PixelAgreement(Metric):
    """Share of pixels, bright or dark, in which generated pairs agree.

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), section 4.1: the first image of a pair, translated
        by the known map, against the second.
    Deviations: the paper does not say when two pixels have the same value; here both are cut at
        the middle of the range. Beside it stands what pairs of strangers agree in, as edges are
        mostly dark whatever the digit.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    agreed: Tensor
    by_chance: Tensor
    pixels: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("agreed", "by_chance", "pixels"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, translated: Tensor, second: Tensor) -> None:
        """Add pairs: first images as translated, and second images, (N, C, H, W) in [-1, 1].

        Raises:
            ValueError: they have not one shape.
        """
        if translated.shape != second.shape:
            raise ValueError(
                f"pairs have shapes {tuple(translated.shape)} and {tuple(second.shape)}; "
                f"they must be equal"
            )
        bright = translated > 0
        self.agreed += (bright == (second > 0)).sum()
        self.by_chance += (bright.roll(1, 0) == (second > 0)).sum()
        self.pixels += second.numel()

    def compute(self) -> dict[str, Tensor]:
        """Return `pairs/agreement` and `pairs/agreement_mismatched`, in [0, 1]."""
        return {
            "pairs/agreement": self.agreed / self.pixels,
            "pairs/agreement_mismatched": self.by_chance / self.pixels,
        }
