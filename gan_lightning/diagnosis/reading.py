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
    rows: Mapping[int, Mapping[str, float]],
    config: Mapping[str, Any],
    *,
    diverged: bool = False,
    training_data: int | None = None,
) -> Signals:
    """Return the signals of logged rows, read beside the config of their run.

    Args:
        rows: update -> values by name, as in metrics.csv.
        config: config of the run as plain values.
        diverged: whether a loss or a weight that is not finite stopped the run.
        training_data: number of training data; None for what the config says, if it does.
    """
    model, data = config.get("model") or {}, config.get("data") or {}
    training_data = training_data or data.get("training_samples") or data.get("points")
    objective = OBJECTIVES_OF_GANS.get(str(model.get("name")), model.get("objective"))
    # a GAN of the user may have a key of this name with other values
    known = objective if objective in KNOWN_OBJECTIVES else None
    return Signals(rows, known, diverged, training_data)


def signals_of_run(run: RunDirectory) -> Signals:
    """Return the signals of a run, also of one that is still training.

    Raises:
        UserError: its config cannot be read.
    """
    rows = read_metrics(run.metrics)
    diverged = _stopped(run, max(rows, default=0))
    count = run.environment().get("training_data")
    return signals_from(rows, run.raw_config(), diverged=diverged, training_data=count)


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
