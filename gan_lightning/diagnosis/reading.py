"""Read the signals of a run from its directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gan_lightning.diagnosis.signals import KNOWN_OBJECTIVES, OBJECTIVES_OF_GANS, Signals
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.runs.state import is_locked, read_outcome

__all__ = ["DIVERGED_MESSAGE", "signals_from", "signals_of_run"]

DIVERGED_MESSAGE = "training diverged"
"""Beginning of the line in the log of a run that was stopped for values that are not finite."""


def signals_from(
    rows: Mapping[int, Mapping[str, float]], config: Mapping[str, Any], *, diverged: bool = False
) -> Signals:
    """Return the signals of logged rows, read beside the config of their run.

    Args:
        rows: update -> values by name, as in metrics.csv.
        config: config of the run as plain values.
        diverged: whether a loss or a weight that is not finite stopped the run.
    """
    model = config.get("model") or {}
    objective = OBJECTIVES_OF_GANS.get(str(model.get("name")), model.get("objective"))
    # a GAN of the user may have a key of this name with other values
    return Signals(rows, objective if objective in KNOWN_OBJECTIVES else None, diverged)


def signals_of_run(run: RunDirectory) -> Signals:
    """Return the signals of a run, also of one that is still training.

    Raises:
        UserError: its config cannot be read.
    """
    rows = read_metrics(run.metrics)
    return signals_from(rows, run.raw_config(), diverged=_stopped(run, max(rows, default=0)))


def _stopped(run: RunDirectory, logged: int) -> bool:
    """Tell whether a run diverged, and was not resumed to a later update than that."""
    if is_locked(run.path) or read_outcome(run.path).measures is not None:
        return False
    try:
        log = run.log.read_text(errors="replace")
    except OSError:
        return False
    found = re.findall(rf"{DIVERGED_MESSAGE} at update ([\d,]+)", log)
    return bool(found) and logged <= int(found[-1].replace(",", ""))
