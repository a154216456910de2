"""Evaluation of models, and of samples from any source."""

from __future__ import annotations

from gan_lightning.evaluation.base import GANEvaluator, SampleEvaluator
from gan_lightning.evaluation.digits import DigitEvaluator, StackedDigitEvaluator
from gan_lightning.evaluation.discriminator import discriminator_weights
from gan_lightning.evaluation.evaluate import evaluate
from gan_lightning.evaluation.image_classes import ImageClassEvaluator
from gan_lightning.evaluation.image_features import FEATURES, image_features
from gan_lightning.evaluation.images import ImageEvaluator
from gan_lightning.evaluation.inception import (
    RESIZERS,
    Inception,
    InceptionNetwork,
    inception_network,
)
from gan_lightning.evaluation.pictures import InceptionEvaluator, RealImages
from gan_lightning.evaluation.points import ModeEvaluator, WassersteinEvaluator
from gan_lightning.evaluation.registry import (
    EVALUATORS,
    GAN_EVALUATORS,
    EvaluationContext,
    evaluators_for,
    gan_evaluators,
    has_evaluator,
    uses_inception,
)
from gan_lightning.evaluation.translation import (
    PairEvaluator,
    TargetEvaluator,
    TranslationEvaluator,
)

__all__ = [
    "EVALUATORS",
    "FEATURES",
    "GAN_EVALUATORS",
    "RESIZERS",
    "DigitEvaluator",
    "EvaluationContext",
    "GANEvaluator",
    "ImageClassEvaluator",
    "ImageEvaluator",
    "Inception",
    "InceptionEvaluator",
    "InceptionNetwork",
    "ModeEvaluator",
    "PairEvaluator",
    "RealImages",
    "SampleEvaluator",
    "StackedDigitEvaluator",
    "TargetEvaluator",
    "TranslationEvaluator",
    "WassersteinEvaluator",
    "discriminator_weights",
    "evaluate",
    "evaluators_for",
    "gan_evaluators",
    "has_evaluator",
    "image_features",
    "inception_network",
    "uses_inception",
]
