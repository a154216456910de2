"""Attributes of images, as a classifier reads them: accuracy, frequencies and information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from gan_lightning.metrics.mode_coverage import divergence_of_counts

__all__ = [
    "AttributeAccuracy",
    "AttributeDivergence",
    "MutualInformationGap",
    "ValueAccuracy",
    "count_values",
]


def count_values(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """Count how often each value of each attribute occurs.

    Args:
        values: numbers of the values, int64 (N, attributes).
        sizes: number of values of each attribute.

    Returns:
        Counts, int64 (sum of sizes,), those of the first attribute first.
    """
    return torch.bincount(_positions(values, sizes).flatten(), minlength=sum(sizes))


def _positions(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the position of each value among the values of all attributes, (N, attributes).

    Raises:
        ValueError: the values have another shape.
    """
    if values.ndim != 2 or values.shape[1] != len(sizes):
        raise ValueError(
            f"values have shape {tuple(values.shape)}; it must be (N, {len(sizes)}), a column for "
            f"each attribute"
        )
    counted = torch.tensor([0, *sizes], device=values.device)
    return values + counted.cumsum(0)[:-1]


class AttributeAccuracy(Metric):
    """Fraction of images whose attribute is read as requested, or as known, for each attribute.

    Args:
        names: of the attributes.

    Source: ours; `ClassConditionalAccuracy` for several attributes at a time.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    correct: Tensor
    total: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        correct = torch.zeros(len(self.names), dtype=torch.int64)
        self.add_state("correct", correct, dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, values: Tensor, expected: Tensor) -> None:
        """Add images.

        Args:
            values: number of the value that is read of each attribute, int64 (N, attributes).
            expected: number of the value that it should have, int64 (N, attributes).

        Raises:
            ValueError: the shapes differ, or there are other attributes.
        """
        if values.shape != expected.shape or values.shape[1:] != self.correct.shape:
            raise ValueError(
                f"values have shape {tuple(values.shape)} and the expected ones "
                f"{tuple(expected.shape)}; both must be (N, {len(self.names)})"
            )
        self.correct += (values == expected.to(values.device)).sum(0)
        self.total += len(values)

    def compute(self) -> dict[str, Tensor]:
        """Return the accuracy of each attribute, by its name, in [0, 1]; NaN without images."""
        return dict(zip(self.names, self.correct / self.total, strict=True))


class ValueAccuracy(Metric):
    """Fraction of images whose attribute is read as requested, for each value of each attribute.

    Args:
        values: names of the values of each attribute, by its name.

    Source: ours; `AttributeAccuracy`, divided by the requested value.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    correct: Tensor
    total: Tensor

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.names = [f"{name}/{value}" for name, names in values.items() for value in names]
        self.sizes = tuple(map(len, values.values()))
        counts = torch.zeros(len(self.names), dtype=torch.int64)
        self.add_state("correct", counts, dist_reduce_fx="sum")
        self.add_state("total", counts.clone(), dist_reduce_fx="sum")

    def update(self, values: Tensor, requested: Tensor) -> None:
        """Add images.

        Args:
            values: number of the value that is read of each attribute, int64 (N, attributes).
            requested: number of the value that it should have, int64 (N, attributes).

        Raises:
            ValueError: the shapes differ, or there are other attributes.
        """
        if values.shape != requested.shape:
            raise ValueError(
                f"values have shape {tuple(values.shape)} and the requested ones "
                f"{tuple(requested.shape)}; the shapes must be equal"
            )
        requested = requested.to(values.device)
        positions = _positions(requested, self.sizes)
        self.correct += torch.bincount(positions[values == requested], minlength=len(self.names))
        self.total += count_values(requested, self.sizes)

    def compute(self) -> dict[str, Tensor]:
        """Return the accuracy in [0, 1] by ATTRIBUTE/VALUE; NaN of values never requested."""
        return dict(zip(self.names, self.correct / self.total, strict=True))


class AttributeDivergence(Metric):
    """Mean over attributes of KL(generated || real) between the frequencies of their values.

    Args:
        real: number of real images with each value, (sum of sizes,), see `count_values`.
        sizes: number of values of each attribute.

    Source: ours; the divergence of mode coverage, for each attribute.
    Deviations: each value counts as one more real image, so that a value that no real image has
        leaves the divergence finite.
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False

    real: Tensor
    counts: Tensor

    def __init__(self, real: Tensor, sizes: Sequence[int]) -> None:
        super().__init__()
        if real.shape != (sum(sizes),):
            raise ValueError(f"real has shape {tuple(real.shape)}; it must be ({sum(sizes)},)")
        self.sizes = tuple(sizes)
        self.register_buffer("real", real.detach().clone() + 1, persistent=False)
        self.add_state("counts", torch.zeros_like(real), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """Add generated images by the values that are read of their attributes, int64 (N, A)."""
        self.counts += count_values(values, self.sizes)

    def compute(self) -> Tensor:
        """Return the mean divergence in nats, at least 0; NaN without images."""
        pairs = zip(self.counts.split(self.sizes), self.real.split(self.sizes), strict=True)
        divergences = [
            divergence_of_counts(counts, real.double() / real.sum()) for counts, real in pairs
        ]
        return torch.stack(divergences).mean()


class MutualInformationGap(Metric):
    """How much each attribute of generated images tells of a code, and of one code only.

    For each attribute v and code c, the information I(v; c) / H(v), in [0, 1]. The gap is that of
    the most informative code minus that of the second one, averaged over attributes: 1 if each
    attribute is determined by one code. A code may determine several attributes.

    Args:
        codes: number of values of each code.
        names: of the attributes.
        sizes: number of values of each attribute.

    Raises:
        ValueError: there are no codes or no attributes.

    Source: Chen, Li, Grosse, Duvenaud 2018 (arXiv:1802.04942), equation 6.
    Deviations: the paper has the true factors of real images, and the latents of an encoder; here
        the codes are those of generated images, and the factors are read by a classifier. With a
        single code, the second one has no information. An attribute that does not vary has none
        with any code. The estimate from N images is too large by about (a - 1) (b - 1) / 2N nats,
        for a and b values of attribute and code, which the gap largely cancels.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    joint: Tensor

    def __init__(self, codes: Sequence[int], names: Sequence[str], sizes: Sequence[int]) -> None:
        super().__init__()
        if not codes or not sizes:
            raise ValueError(f"codes are {codes} and sizes {sizes}; there must be one of each")
        self.codes, self.names, self.sizes = tuple(codes), tuple(names), tuple(sizes)
        joint = torch.zeros(sum(codes), sum(sizes), dtype=torch.int64)
        self.add_state("joint", joint, dist_reduce_fx="sum")

    def update(self, codes: Tensor, values: Tensor) -> None:
        """Add generated images.

        Args:
            codes: value of each code that an image was generated from, int64 (N, codes).
            values: number of the value that is read of each attribute, int64 (N, attributes).

        Raises:
            ValueError: a shape is wrong, or the lengths differ.
        """
        rows, columns = _positions(codes, self.codes), _positions(values, self.sizes)
        if len(rows) != len(columns):
            raise ValueError(f"there are {len(rows)} rows of codes and {len(columns)} of values")
        height, width = self.joint.shape
        pairs = (rows[:, :, None] * width + columns[:, None]).flatten()
        self.joint += torch.bincount(pairs, minlength=height * width).view(height, width)

    def compute(self) -> dict[str, Tensor]:
        """Return the gap, and the normalised information of the codes on each attribute.

        Returns:
            `code/mutual_information_gap`; `code/information/ATTRIBUTE`, the largest of all codes;
            with several codes `codeN/information/ATTRIBUTE`, of each of them; all in [0, 1].

        Raises:
            ValueError: there are no images.
        """
        if not self.joint.any():
            raise ValueError("MutualInformationGap has no images; call update first")
        information = torch.stack(
            [
                torch.stack([_normalised_information(part) for part in rows.split(self.sizes, 1)])
                for rows in self.joint.split(self.codes)
            ]
        )
        ordered = information.sort(0, descending=True).values
        second = ordered[1] if len(ordered) > 1 else torch.zeros_like(ordered[0])
        largest = {
            f"code/information/{name}": value
            for name, value in zip(self.names, ordered[0], strict=True)
        }
        single = {
            f"code{number}/information/{name}": value
            for number, row in enumerate(information, start=1)
            for name, value in zip(self.names, row, strict=True)
            if len(self.codes) > 1
        }
        return {"code/mutual_information_gap": (ordered[0] - second).mean(), **largest, **single}


def _normalised_information(joint: Tensor) -> Tensor:
    """Compute I(c; v) / H(v) of counts (values of c, values of v); 0 if v does not vary."""
    shares = joint.double() / joint.sum()
    codes, values = shares.sum(1), shares.sum(0)
    entropy = _entropy(values)
    information = _entropy(codes) + entropy - _entropy(shares.flatten())
    return torch.where(entropy > 0, information / entropy, 0.0).clamp(0, 1)


def _entropy(shares: Tensor) -> Tensor:
    """Compute the entropy of probabilities in nats."""
    negative: Tensor = torch.special.xlogy(shares, shares).sum()
    return -negative
