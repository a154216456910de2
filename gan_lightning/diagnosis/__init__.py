"""Say what state a run is in from what it has logged, and what to change."""

from __future__ import annotations

from gan_lightning.diagnosis.diagnose import Diagnosis, diagnose
from gan_lightning.diagnosis.loss_file import signals_of_losses
from gan_lightning.diagnosis.reading import DIVERGED_MESSAGE, signals_from, signals_of_run
from gan_lightning.diagnosis.remedies import remedies_for
from gan_lightning.diagnosis.signals import Signals
from gan_lightning.diagnosis.states import STATES, State

__all__ = [
    "DIVERGED_MESSAGE",
    "STATES",
    "Diagnosis",
    "Signals",
    "State",
    "diagnose",
    "remedies_for",
    "signals_from",
    "signals_of_losses",
    "signals_of_run",
]
