"""What latent codes say about generated images, and images about codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["CodeAccuracy", "MutualInformationBound"]

# of the sum of the probabilities, in nats: bfloat16 log-probabilities stay well below it
NORMALISATION_TOLERANCE = 0.05


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

    Each code is matched to one class and each class to one code, so that most samples agree; with
    unequal numbers, the codes or classes left over count as errors.

    Args:
        categories: values of the code.
        classes: classes of the data.

    Raises:
        ValueError: a number is not positive.

    Source: Chen et al. 2016 (InfoGAN, arXiv:1606.03657), section 7.2, which matches categories to
        digits and reports 5 % error on MNIST.
    Deviations: the paper does not say how it matches; here the assignment is the best one, which
        is found exactly.
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
            predicted: the likeliest code of each, int64 in [0, categories), (N,).
            labels: the class of each, int64 in [0, classes), (N,).

        Raises:
            ValueError: a value out of range, or the two differ in length.
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
        """Return the share of samples whose code is matched to their class, in [0, 1].

        Raises:
            ValueError: there are no samples.
        """
        # scipy.optimize takes half a second to import
        from scipy.optimize import linear_sum_assignment

        total = self.confusion.sum()
        if total == 0:
            raise ValueError("code accuracy of no samples: call update first")
        codes, classes = linear_sum_assignment(self.confusion.cpu().numpy(), maximize=True)
        return self.confusion[codes.tolist(), classes.tolist()].sum() / total


class MutualInformationBound(Metric):
    """Lower bound L_I = H(c) + E[log Q(c | x)] on the information a code leaves in the image.

    The code is categorical and drawn uniformly, so that H(c) = log K.

    Args:
        categories: K.

    Raises:
        ValueError: categories is not positive.

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
            log_probabilities: log Q(c | x) of each image x, (N, K), normalised: a log_softmax.
            codes: the code that each image was generated from, int64 in [0, K), (N,).

        Raises:
            ValueError: a shape or a code out of range, or probabilities that do not sum to 1.
        """
        check_indices("codes", codes, self.categories)
        if log_probabilities.shape != (len(codes), self.categories):
            raise ValueError(
                f"log_probabilities have shape {tuple(log_probabilities.shape)}; it must be "
                f"({len(codes)}, {self.categories})"
            )
        # moved first: not every device has float64
        values = log_probabilities.detach().to(self.log_likelihood.device).double()
        if bool((values.logsumexp(dim=1).abs() > NORMALISATION_TOLERANCE).any()):
            raise ValueError(
                "the probabilities do not sum to 1; pass logits through log_softmax first"
            )
        chosen = values.gather(1, codes.long().to(values.device)[:, None])
        self.log_likelihood += chosen.sum()
        self.samples += len(codes)

    def compute(self) -> Tensor:
        """Return the bound in nats: at most log K, 0 for an uninformed Q, unbounded below.

        Raises:
            ValueError: there are no samples.
        """
        if self.samples == 0:
            raise ValueError("mutual information of no samples: call update first")
        return math.log(self.categories) + self.log_likelihood / self.samples
