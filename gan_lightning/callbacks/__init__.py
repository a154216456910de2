"""Callbacks: evaluation, checkpoints, pictures, signals and checks of a run."""

from __future__ import annotations

from gan_lightning.callbacks.adversarial_examples import AttackedDigits
from gan_lightning.callbacks.checkpoints import (
    BEST,
    AtomicCheckpointIO,
    Checkpoints,
    list_checkpoints,
)
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.game_measures import GameMeasures
from gan_lightning.callbacks.histograms import WeightHistogram
from gan_lightning.callbacks.live_diagnosis import LiveDiagnosis
from gan_lightning.callbacks.non_finite import StopOnNonFinite
from gan_lightning.callbacks.pairs import PairGrid, TranslationGrid
from gan_lightning.callbacks.phase_portrait import PhasePortrait
from gan_lightning.callbacks.pictures import PICTURES, PictureContext, picture_callbacks
from gan_lightning.callbacks.progress import UpdateProgressBar
from gan_lightning.callbacks.sample_grid import SampleGrid
from gan_lightning.callbacks.scatter import Scatter
from gan_lightning.callbacks.signals import StopOnSignal
from gan_lightning.callbacks.timer import RunTimer
from gan_lightning.callbacks.traversal_grid import TraversalGrid

__all__ = [
    "BEST",
    "PICTURES",
    "AtomicCheckpointIO",
    "AttackedDigits",
    "Checkpoints",
    "Evaluation",
    "GameMeasures",
    "LiveDiagnosis",
    "PairGrid",
    "PhasePortrait",
    "PictureContext",
    "RunTimer",
    "SampleGrid",
    "Scatter",
    "StopOnNonFinite",
    "StopOnSignal",
    "TranslationGrid",
    "TraversalGrid",
    "UpdateProgressBar",
    "WeightHistogram",
    "list_checkpoints",
    "picture_callbacks",
]
