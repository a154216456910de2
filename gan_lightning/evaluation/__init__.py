"""What is measured on a model, and on anybody's samples."""

from __future__ import annotations

from gan_lightning.evaluation.judges import (
    DigitJudge,
    ModeJudge,
    SampleJudge,
    StackedDigitJudge,
    TransportJudge,
    judge_for,
)
from gan_lightning.evaluation.models import evaluate
from gan_lightning.evaluation.players import discriminator_weights

__all__ = [
    "DigitJudge",
    "ModeJudge",
    "SampleJudge",
    "StackedDigitJudge",
    "TransportJudge",
    "discriminator_weights",
    "evaluate",
    "judge_for",
]
