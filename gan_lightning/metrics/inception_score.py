"""What a classifier's certainty says about generated images."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["InceptionScore"]


class InceptionScore(Metric):
    """Inception score, and the modified one of the energy-based GAN, from any classifier's logits.

    p(y|x) is what the classifier says of image x, p(y) its mean over the images. The score
    exp(E KL(p(y|x) || p(y))) is high where each image is certain and all classes come. The modified
    score E KL(p(y) || p(y|x)) turns the divergence round and leaves the exponential out; it has no
    upper bound, since it grows with the certainty of the classifier.

    The states are sums in float64, so the value is exact over several processes. It is computed on
    all images at once, not as a mean over splits.

    Args:
        classes: number of classes, K.

    Raises:
        ValueError: classes is not positive.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 4; modified: Zhao, Mathieu, LeCun 2017
        (EBGAN, arXiv:1609.03126), section 4.1, where the 2 behind the formula is read as the mark
        of a footnote, not as a square.
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
        """Add images by what the classifier says of them.

        Args:
            logits: (N, K), unbounded.

        Raises:
            ValueError: the logits have another shape.
        """
        classes = len(self.probabilities)
        if logits.ndim != 2 or logits.shape[1] != classes:
            raise ValueError(f"logits have shape {tuple(logits.shape)}; it must be (N, {classes})")
        # moved first: not every device has float64
        logarithms = logits.detach().to(self.probabilities.device).double().log_softmax(dim=1)
        probabilities = logarithms.exp()
        self.probabilities += probabilities.sum(dim=0)
        self.log_probabilities += logarithms.sum(dim=0)
        self.negative_entropy += (probabilities * logarithms).sum()
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
            raise ValueError("inception score of no images: call update first")
        marginal = self.probabilities / self.samples
        marginal_negative_entropy = torch.special.xlogy(marginal, marginal).sum()
        divergence = self.negative_entropy / self.samples - marginal_negative_entropy
        cross = (marginal * self.log_probabilities).sum() / self.samples
        return {
            "score": divergence.clamp(min=0).exp(),
            "modified_score": (marginal_negative_entropy - cross).clamp(min=0),
        }
