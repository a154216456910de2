"""Inception score of generated images under any classifier."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["InceptionScore"]


class InceptionScore(Metric):
    """Inception score, and the modified score of the EBGAN paper, from a classifier's logits.

    With the classifier's p(y|x) and its mean p(y) over the images, the score is
    exp(E KL(p(y|x) || p(y))). It is high where the classifier is certain about each image and all
    classes occur. The modified score E KL(p(y) || p(y|x)) reverses the divergence and omits the
    exponential; it has no upper bound, because it grows with the classifier's certainty.

    The states are sums in float64, so the value is exact over several processes. It is computed on
    all images at once instead of averaged over splits.

    Args:
        classes: K, number of classes.

    Raises:
        ValueError: classes is below 1.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 4; modified: Zhao, Mathieu, LeCun 2017
        (EBGAN, arXiv:1609.03126), section 4.1, reading the 2 after the formula as a footnote mark,
        not as a square.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    probabilities: Tensor
    log_probabilities: Tensor
    negative_entropy: Tensor
    samples: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes is {classes}; it must be at least 1")
        for name in ("probabilities", "log_probabilities"):
            total = torch.zeros(classes, dtype=torch.float64)
            self.add_state(name, total, dist_reduce_fx="sum")
        entropy = torch.zeros((), dtype=torch.float64)
        self.add_state("negative_entropy", entropy, dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Tensor) -> None:
        """Add generated images.

        Args:
            logits: classifier's logits of each image, (N, K), unbounded.

        Raises:
            ValueError: the logits have another shape.
        """
        classes = len(self.probabilities)
        if logits.ndim != 2 or logits.shape[1] != classes:
            raise ValueError(f"logits have shape {tuple(logits.shape)}; it must be (N, {classes})")
        # to the metric's device first: not every device has float64
        logits = logits.detach().to(self.probabilities.device).double()
        log_probabilities = logits.log_softmax(dim=1)
        probabilities = log_probabilities.exp()
        self.probabilities += probabilities.sum(dim=0)
        self.log_probabilities += log_probabilities.sum(dim=0)
        self.negative_entropy += (probabilities * log_probabilities).sum()
        self.samples += len(logits)

    def compute(self) -> dict[str, Tensor]:
        """Return both scores.

        Returns:
            score: in [1, K].
            modified_score: nats, at least 0.

        Raises:
            ValueError: there are no images.
        """
        if self.samples == 0:
            raise ValueError("InceptionScore has no samples; call update first")
        marginal = self.probabilities / self.samples
        marginal_negative_entropy = torch.special.xlogy(marginal, marginal).sum()
        divergence = self.negative_entropy / self.samples - marginal_negative_entropy
        cross = (marginal * self.log_probabilities).sum() / self.samples
        return {
            "score": divergence.clamp(min=0).exp(),
            "modified_score": (marginal_negative_entropy - cross).clamp(min=0),
        }
