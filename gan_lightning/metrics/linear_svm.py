"""A linear support vector machine with a squared hinge loss (L2-SVM), for many features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LinearSVM", "fit_linear_svm"]

MAX_NEWTON_STEPS = 100
"""Bound of the steps of each class; five to ten suffice, since the set of margins settles."""


@dataclass(frozen=True)
class LinearSVM:
    """A fitted classifier, one against the rest.

    Attributes:
        weights: (D, K), float64.
        bias: (K,), float64.
    """

    weights: Tensor
    bias: Tensor

    def predict(self, features: Tensor) -> Tensor:
        """Return the class with the highest score for features (N, D), int64 (N,)."""
        return (features.double() @ self.weights + self.bias).argmax(1)


def fit_linear_svm(features: Tensor, labels: Tensor, classes: int, penalty: float) -> LinearSVM:
    """Fit an L2-SVM by Newton's method, a linear system of the samples inside the margin a step.

    For each class k it minimises |w|^2 / 2 + b^2 / 2 + C sum_i max(0, 1 - y_i (w x_i + b))^2 with
    y_i = 1 for samples of class k and -1 for the others. The bias is penalised, as by liblinear.

    Args:
        features: (N, D); the time grows with N^3, and with D only linearly.
        labels: int64 (N,), in [0, classes).
        classes: K.
        penalty: C, above 0.

    Source: Chapelle 2007 (Training a Support Vector Machine in the Primal), section 4.
    """
    samples = features.double()
    kernel = samples @ samples.T + 1
    signs = 2.0 * (labels[:, None] == torch.arange(classes, device=labels.device)).to(kernel) - 1
    # the first step has all samples inside the margin, so all classes share its system
    first = torch.linalg.solve(_ridge(kernel, penalty), signs)
    coefficients = torch.stack(
        [_fit_class(kernel, *pair, penalty) for pair in zip(signs.T, first.T, strict=True)], 1
    )
    return LinearSVM(samples.T @ coefficients, coefficients.sum(0))


def _fit_class(kernel: Tensor, signs: Tensor, coefficients: Tensor, penalty: float) -> Tensor:
    """Return the coefficients of the samples, float64 (N,); 0 of those outside the margin."""
    inside = torch.ones_like(signs, dtype=torch.bool)
    for _ in range(MAX_NEWTON_STEPS):
        before, inside = inside, signs * (kernel @ coefficients) < 1
        if torch.equal(before, inside):
            break
        (rows,) = inside.nonzero(as_tuple=True)
        coefficients = torch.zeros_like(signs)
        coefficients[rows] = torch.linalg.solve(_ridge(kernel[rows][:, rows], penalty), signs[rows])
    return coefficients


def _ridge(kernel: Tensor, penalty: float) -> Tensor:
    system = kernel.clone()
    system.diagonal().add_(1 / (2 * penalty))
    return system
