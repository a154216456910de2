"""Whether translations have the colours of their targets."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["ColourRetrieval", "main_colours"]

CLUSTERS = 10
"""Clusters of the targets' colours; fewer where there are fewer targets."""

ITERATIONS = 100
"""Steps of k-means, which converges earlier."""

GREY = 1e-3
"""Weight of a black pixel that has no colour, where a pixel of a pure colour has 1."""


class ColourRetrieval(Metric):
    """Share of translations whose main colour is nearest to the cluster of their target's.

    The main colours of all targets are divided into clusters by k-means. The share is computed for
    each cluster of targets and averaged over clusters, so that chance, or the same colour
    everywhere, is 1 / clusters, however frequent a colour is.

    Args:
        targets: all targets, (M, 3, H, W) in [-1, 1].

    Source: ours, for a task with a known truth; Zhu et al. 2017 (arXiv:1703.10593) had none but for
        maps and labels.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    correct: Tensor
    total: Tensor
    centres: Tensor

    def __init__(self, targets: Tensor) -> None:
        from scipy.cluster.vq import kmeans2

        super().__init__()
        clusters = min(CLUSTERS, len(targets))
        colours = main_colours(targets).cpu().double().numpy()
        centres, _ = kmeans2(colours, clusters, iter=ITERATIONS, minit="++", rng=0)
        self.register_buffer("centres", torch.from_numpy(centres).float())
        self.add_state("correct", torch.zeros(clusters), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros(clusters), dist_reduce_fx="sum")

    def update(self, translated: Tensor, targets: Tensor) -> None:
        """Add translations and their targets, each (N, 3, H, W) in [-1, 1].

        Raises:
            ValueError: the shapes differ.
        """
        if translated.shape != targets.shape:
            raise ValueError(
                f"translated has shape {tuple(translated.shape)} and targets "
                f"{tuple(targets.shape)}; the shapes must be equal"
            )
        truth = self._nearest(targets)
        clusters = len(self.centres)
        hits = truth[self._nearest(translated) == truth]
        self.correct += torch.bincount(hits, minlength=clusters)
        self.total += torch.bincount(truth, minlength=clusters)

    def compute(self) -> dict[str, Tensor]:
        """Return `translation/colour_retrieval` in [0, 1] and its value by chance.

        NaN without translations.
        """
        seen = self.total > 0
        return {
            "translation/colour_retrieval": (self.correct[seen] / self.total[seen]).mean(),
            "translation/colour_retrieval_by_chance": 1 / seen.sum(),
        }

    def _nearest(self, images: Tensor) -> Tensor:
        """Return the nearest centre of the main colour of each image, int64 (N,)."""
        return torch.cdist(main_colours(images), self.centres).argmin(1)


def main_colours(images: Tensor) -> Tensor:
    """Average the pixels of each image with their chroma as weight.

    White and black hardly count where there is a colour: of an image without any, dark pixels are
    averaged.

    Args:
        images: (N, 3, H, W) in [-1, 1].

    Returns:
        Red, green and blue in [0, 1], float32 (N, 3).
    """
    pixels = images.float().add(1).div(2).clamp(0, 1).flatten(2)
    low, high = pixels.amin(1, keepdim=True), pixels.amax(1, keepdim=True)
    weights = high - low + GREY * (1 - low) + torch.finfo(torch.float32).tiny
    return (weights * pixels).sum(2) / weights.sum(2)
