"""What watches a run."""

from __future__ import annotations

from gan_lightning.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints, latest_checkpoint
from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.histograms import WeightHistogram
from gan_lightning.callbacks.interruption import StopOnSignal
from gan_lightning.callbacks.pictures import SampleGrid, Scatter, TraversalGrid
from gan_lightning.callbacks.portraits import PhasePortrait
from gan_lightning.callbacks.progress import UpdatesBar
from gan_lightning.callbacks.stopwatch import Stopwatch

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
    "Evaluation",
    "PhasePortrait",
    "SampleGrid",
    "Scatter",
    "StopOnSignal",
    "Stopwatch",
    "TraversalGrid",
    "UpdatesBar",
    "WeightHistogram",
    "latest_checkpoint",
]
