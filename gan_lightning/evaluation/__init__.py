"""What is measured on a model, and on anybody's samples."""

from __future__ import annotations

from gan_lightning.evaluation.choosing import judges_for, looks_through_inception, measurable
from gan_lightning.evaluation.digits import DigitJudge, StackedDigitJudge
from gan_lightning.evaluation.inception import (
    RESIZERS,
    Inception,
    InceptionNetwork,
    inception_network,
)
from gan_lightning.evaluation.inception_judge import InceptionJudge, RealImages
from gan_lightning.evaluation.judges import SampleJudge
from gan_lightning.evaluation.models import evaluate
from gan_lightning.evaluation.players import discriminator_weights
from gan_lightning.evaluation.points import ModeJudge, TransportJudge
from gan_lightning.evaluation.translated import PairJudge, TargetJudge, TranslationJudge

__all__ = [
    "RESIZERS",
    "DigitJudge",
    "Inception",
    "InceptionJudge",
    "InceptionNetwork",
    "ModeJudge",
    "PairJudge",
    "RealImages",
    "SampleJudge",
    "StackedDigitJudge",
    "TargetJudge",
    "TranslationJudge",
    "TransportJudge",
    "discriminator_weights",
    "evaluate",
    "inception_network",
    "judges_for",
    "looks_through_inception",
    "measurable",
]
