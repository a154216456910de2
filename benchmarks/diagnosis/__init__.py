"""A corpus of short runs whose state is known, on which a diagnosis is fitted and judged."""

from __future__ import annotations

from diagnosis.configurations import Configuration, configurations, planned_runs
from diagnosis.records import read_records
from diagnosis.states import STATES, state_of
from diagnosis.training import train_run

__all__ = [
    "STATES",
    "Configuration",
    "configurations",
    "planned_runs",
    "read_records",
    "state_of",
    "train_run",
]
