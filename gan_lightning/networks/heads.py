"""Heads: what turns an encoder's features into a discriminator's answers."""

from __future__ import annotations

from torch import Tensor, nn


class ScoreHead(nn.Module):
    """One linear unit: how real the data looks.

    Args:
        features: width of the encoder's output.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features, shape (N, features), to logits or critic scores, shape (N,), unbounded."""
        scores: Tensor = self.linear(features)
        return scores.squeeze(1)
