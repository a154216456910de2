"""Heads of discriminators."""

from __future__ import annotations

from torch import Tensor, nn


class ScoreHead(nn.Module):
    """A linear unit that scores how real a sample is.

    Args:
        features: size of the encoder's output.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, features) to logits or critic scores (N,), unbounded."""
        scores: Tensor = self.linear(features)
        return scores.squeeze(1)


class ProjectionScore(nn.Module):
    """A linear unit of all features of a `ProjectionEncoder` but the last one, which is added.

    Args:
        features: size of the encoder's output.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features - 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, features) to scores (N,), unbounded."""
        scores: Tensor = self.linear(features[:, :-1])
        return scores.squeeze(1) + features[:, -1]
