"""Scores of generated data: torchmetrics, exact over several processes."""

from __future__ import annotations

from gan_lightning.metrics.codes import CodeAccuracy, MutualInformationBound
from gan_lightning.metrics.frechet import FeatureStatistics, FrechetDistance, frechet_distance
from gan_lightning.metrics.modes import ClassCoverage, ModeCoverage
from gan_lightning.metrics.statistics_cache import cache_folder, cached_statistics

__all__ = [
    "ClassCoverage",
    "CodeAccuracy",
    "FeatureStatistics",
    "FrechetDistance",
    "ModeCoverage",
    "MutualInformationBound",
    "cache_folder",
    "cached_statistics",
    "frechet_distance",
]
