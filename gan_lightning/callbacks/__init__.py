"""What watches a run."""

from __future__ import annotations

from gan_lightning.callbacks.adversarial_examples import AttackedDigits
from gan_lightning.callbacks.checkpoints import BEST, AtomicCheckpointIO, Checkpoints, checkpoints
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.histograms import WeightHistogram
from gan_lightning.callbacks.pairs import PairGrid, TranslationGrid
from gan_lightning.callbacks.phase_portrait import PhasePortrait
from gan_lightning.callbacks.progress import UpdatesBar
from gan_lightning.callbacks.sample_grids import SampleGrid, Scatter, TraversalGrid
from gan_lightning.callbacks.signals import StopOnSignal
from gan_lightning.callbacks.timer import Stopwatch
from gan_lightning.callbacks.watchdogs import CollapseWatch, FiniteWatch

__all__ = [
    "BEST",
    "AtomicCheckpointIO",
    "AttackedDigits",
    "Checkpoints",
    "CollapseWatch",
    "Evaluation",
    "FiniteWatch",
    "PairGrid",
    "PhasePortrait",
    "SampleGrid",
    "Scatter",
    "StopOnSignal",
    "Stopwatch",
    "TranslationGrid",
    "TraversalGrid",
    "UpdatesBar",
    "WeightHistogram",
    "checkpoints",
]
