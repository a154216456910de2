"""Metrics of generated samples: `torchmetrics.Metric`s that are exact over several processes."""

from __future__ import annotations

from gan_lightning.metrics.attributes import (
    AttributeAccuracy,
    AttributeDivergence,
    MutualInformationGap,
    ValueAccuracy,
)
from gan_lightning.metrics.class_accuracy import ClassConditionalAccuracy
from gan_lightning.metrics.code_correlation import CodeCorrelation, slant, stroke_width
from gan_lightning.metrics.codes import CodeAccuracy, MutualInformationBound
from gan_lightning.metrics.colour_retrieval import ColourRetrieval
from gan_lightning.metrics.duplicates import DuplicateRate
from gan_lightning.metrics.frechet import (
    EqualSizeFrechetDistance,
    FeatureStatistics,
    FrechetDistance,
    frechet_distance,
)
from gan_lightning.metrics.image_features import PixelFeatures, RandomFeatures
from gan_lightning.metrics.inception_score import InceptionScore
from gan_lightning.metrics.kernel_distance import KernelDistance
from gan_lightning.metrics.mode_coverage import ClassCoverage, ModeCoverage
from gan_lightning.metrics.ms_ssim import WithinClassSimilarity
from gan_lightning.metrics.nearest_neighbour import NearestNeighbourError
from gan_lightning.metrics.parzen import ParzenLikelihood
from gan_lightning.metrics.pixel_agreement import PixelAgreement
from gan_lightning.metrics.precision_recall import PrecisionRecall
from gan_lightning.metrics.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein
from gan_lightning.metrics.statistics_cache import cache_folder, cached_statistics, cached_tensors
from gan_lightning.metrics.wasserstein import ExactWasserstein, exact_wasserstein

__all__ = [
    "AttributeAccuracy",
    "AttributeDivergence",
    "ClassConditionalAccuracy",
    "ClassCoverage",
    "CodeAccuracy",
    "CodeCorrelation",
    "ColourRetrieval",
    "DuplicateRate",
    "EqualSizeFrechetDistance",
    "ExactWasserstein",
    "FeatureStatistics",
    "FrechetDistance",
    "InceptionScore",
    "KernelDistance",
    "ModeCoverage",
    "MutualInformationBound",
    "MutualInformationGap",
    "NearestNeighbourError",
    "ParzenLikelihood",
    "PixelAgreement",
    "PixelFeatures",
    "PrecisionRecall",
    "RandomFeatures",
    "SlicedWasserstein",
    "ValueAccuracy",
    "WithinClassSimilarity",
    "cache_folder",
    "cached_statistics",
    "cached_tensors",
    "exact_wasserstein",
    "frechet_distance",
    "slant",
    "sliced_wasserstein",
    "stroke_width",
]
