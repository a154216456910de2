"""Scores of generated data: torchmetrics, exact over several processes."""

from __future__ import annotations

from gan_lightning.metrics.agreement import PixelAgreement
from gan_lightning.metrics.asked import AskedClassAccuracy
from gan_lightning.metrics.codes import CodeAccuracy, MutualInformationBound
from gan_lightning.metrics.diversity import WithinClassSimilarity
from gan_lightning.metrics.duplicates import DuplicateRate
from gan_lightning.metrics.frechet import FeatureStatistics, FrechetDistance, frechet_distance
from gan_lightning.metrics.kernel import KernelDistance
from gan_lightning.metrics.manifold import PrecisionRecall
from gan_lightning.metrics.modes import ClassCoverage, ModeCoverage
from gan_lightning.metrics.neighbours import NearestNeighbourError
from gan_lightning.metrics.parzen import ParzenLikelihood
from gan_lightning.metrics.scores import InceptionScore
from gan_lightning.metrics.statistics_cache import cache_folder, cached_statistics, cached_tensors
from gan_lightning.metrics.strokes import CodeCorrelation, slant, stroke_width
from gan_lightning.metrics.transport import ExactWasserstein, exact_wasserstein

__all__ = [
    "AskedClassAccuracy",
    "ClassCoverage",
    "CodeAccuracy",
    "CodeCorrelation",
    "DuplicateRate",
    "ExactWasserstein",
    "FeatureStatistics",
    "FrechetDistance",
    "InceptionScore",
    "KernelDistance",
    "ModeCoverage",
    "MutualInformationBound",
    "NearestNeighbourError",
    "ParzenLikelihood",
    "PixelAgreement",
    "PrecisionRecall",
    "WithinClassSimilarity",
    "cache_folder",
    "cached_statistics",
    "cached_tensors",
    "exact_wasserstein",
    "frechet_distance",
    "slant",
    "stroke_width",
]
