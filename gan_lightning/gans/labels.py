"""What generators that are told a class have in common."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_lightning.batch import Condition, DataSpec

__all__ = ["classes_of", "joined", "uniform_labels"]


def classes_of(data: DataSpec, variant: str) -> int:
    """Return the number of classes.

    Raises:
        ValueError: the data have none.
    """
    if data.classes is None:
        raise ValueError(
            f"{variant} needs data with classes, and this has none; valid are mnist, stacked_mnist"
        )
    return data.classes


def uniform_labels(
    count: int, classes: int, rng: torch.Generator | None, device: torch.device
) -> Tensor:
    """Draw labels (count,), each class equally likely."""
    return torch.randint(classes, (count,), generator=rng, device=device)


def joined(condition: Condition, classes: int) -> Tensor:
    """Put noise and the one-hot label side by side, (N, latent size + classes)."""
    assert condition.latent is not None
    assert condition.labels is not None
    return torch.cat([condition.latent, one_hot(condition.labels, classes).float()], 1)
