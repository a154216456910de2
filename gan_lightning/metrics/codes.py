"""How much information generated images keep about the latent codes that they come from."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["CodeAccuracy", "MutualInformationBound"]

NORMALISATION_TOLERANCE = 0.05
"""For the log of the summed probabilities, in nats; bfloat16 stays well below it."""


def check_indices(name: str, values: Tensor, end: int) -> None:
    """Raise a ValueError unless the values are a vector of indices in [0, end)."""
    if values.ndim != 1 or values.is_floating_point() or values.dtype == torch.bool:
        raise ValueError(
            f"{name} are {values.dtype} of shape {tuple(values.shape)}; they must be int64 (N,)"
        )
    if len(values) and (int(values.min()) < 0 or int(values.max()) >= end):
        raise ValueError(
            f"{name} run from {int(values.min())} to {int(values.max())}; they must lie in "
            f"[0, {end})"
        )


class CodeAccuracy(Metric):
    """Accuracy of an unsupervised categorical code as a classifier.

    Each code is assigned to at most one class and each class to at most one code, so that the
    largest number of samples agrees. Codes or classes that remain unassigned count as errors.

    Args:
        categories: number of values of the code.
        classes: number of classes of the data.

    Raises:
        ValueError: an argument is below 1.

    Source: Chen et al. 2016 (InfoGAN, arXiv:1606.03657), section 7.2, which assigns categories to
        digits and reports an error of 5 % on MNIST.
    Deviations: the paper does not describe its assignment; here it is the optimal one, computed
        exactly (Hungarian method).
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    confusion: Tensor

    def __init__(self, categories: int, classes: int) -> None:
        super().__init__()
        if categories < 1 or classes < 1:
            raise ValueError(
                f"categories is {categories} and classes is {classes}; both must be at least 1"
            )
        confusion = torch.zeros(categories, classes, dtype=torch.int64)
        self.add_state("confusion", confusion, dist_reduce_fx="sum")

    def update(self, predicted: Tensor, labels: Tensor) -> None:
        """Add samples.

        Args:
            predicted: most likely code of each sample, int64 in [0, categories), (N,).
            labels: class of each sample, int64 in [0, classes), (N,).

        Raises:
            ValueError: a value is out of range, or the lengths differ.
        """
        categories, classes = self.confusion.shape
        check_indices("predicted codes", predicted, categories)
        check_indices("labels", labels, classes)
        if len(predicted) != len(labels):
            raise ValueError(
                f"there are {len(predicted)} predicted codes and {len(labels)} labels; each "
                "sample needs one of both"
            )
        pairs = predicted.long().to(self.confusion.device) * classes
        pairs = pairs + labels.long().to(self.confusion.device)
        self.confusion += torch.bincount(pairs, minlength=categories * classes).view(
            categories, classes
        )

    def compute(self) -> Tensor:
        """Return the fraction of samples whose code is assigned to their class, in [0, 1].

        Raises:
            ValueError: there are no samples.
        """
        # importing scipy.optimize takes half a second
        from scipy.optimize import linear_sum_assignment

        total = self.confusion.sum()
        if total == 0:
            raise ValueError("CodeAccuracy has no samples; call update first")
        codes, classes = linear_sum_assignment(self.confusion.cpu().numpy(), maximize=True)
        return self.confusion[codes.tolist(), classes.tolist()].sum() / total


class MutualInformationBound(Metric):
    """Variational lower bound on the mutual information of a code and the generated image.

    L_I = H(c) + E[log Q(c | x)] <= I(c; x), for a categorical code c with a uniform prior, so that
    H(c) = log K.

    Args:
        categories: K, number of values of the code.

    Raises:
        ValueError: categories is below 1.

    Source: Chen et al. 2016 (InfoGAN, arXiv:1606.03657), equation 5.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    log_likelihood: Tensor
    samples: Tensor

    def __init__(self, categories: int) -> None:
        super().__init__()
        if categories < 1:
            raise ValueError(f"categories is {categories}; it must be at least 1")
        self.categories = categories
        total = torch.zeros((), dtype=torch.float64)
        self.add_state("log_likelihood", total, dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, log_probabilities: Tensor, codes: Tensor) -> None:
        """Add generated images.

        Args:
            log_probabilities: normalised log Q(c | x) of each image x, (N, K); a log_softmax.
            codes: code that each image was generated from, int64 in [0, K), (N,).

        Raises:
            ValueError: a shape is wrong, a code is out of range, or the probabilities do not sum
                to 1.
        """
        check_indices("codes", codes, self.categories)
        if log_probabilities.shape != (len(codes), self.categories):
            raise ValueError(
                f"log_probabilities have shape {tuple(log_probabilities.shape)}; it must be "
                f"({len(codes)}, {self.categories})"
            )
        # to the metric's device first: not every device has float64
        values = log_probabilities.detach().to(self.log_likelihood.device).double()
        if bool((values.logsumexp(dim=1).abs() > NORMALISATION_TOLERANCE).any()):
            raise ValueError(
                "the probabilities do not sum to 1; pass logits through log_softmax first"
            )
        likelihoods = values.gather(1, codes.long().to(values.device)[:, None])
        self.log_likelihood += likelihoods.sum()
        self.samples += len(codes)

    def compute(self) -> Tensor:
        """Return the bound in nats: at most log K, 0 for an uninformed Q, unbounded below.

        Raises:
            ValueError: there are no samples.
        """
        if self.samples == 0:
            raise ValueError("MutualInformationBound has no samples; call update first")
        return math.log(self.categories) + self.log_likelihood / self.samples
