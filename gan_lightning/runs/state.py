"""Progress and final metrics of a run, and the lock of the process that trains it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

from gan_lightning.utils.files import atomic_write, exclusive_lock, is_lock_held

__all__ = [
    "RunEvaluation",
    "RunOutcome",
    "is_locked",
    "read_evaluation",
    "read_outcome",
    "run_lock",
    "to_json",
    "write_evaluation",
    "write_outcome",
]

FILE = "outcome.json"
EVALUATION_FILE = "evaluation.json"
LOCK = "owner.lock"


@dataclass(frozen=True)
class RunOutcome:
    """Content of outcome.json, which is written with every checkpoint and at the end of a run.

    Args:
        updates: updates over all sessions of the run.
        seconds: training time over all sessions, evaluation included.
        measures: metrics of the final model, by name; None before the end of the run.
        stopped_by: which callback ended the run before `trainer.max_updates`, and why; or None.
    """

    updates: int = 0
    seconds: float = 0.0
    measures: Mapping[str, float] | None = None
    stopped_by: str | None = None


def read_outcome(run: Path) -> RunOutcome:
    """Read outcome.json of a run directory; 0 updates if the file is missing or damaged."""
    try:
        content = json.loads((run / FILE).read_text())
        measures = content["measures"]
        if measures is not None:
            measures = _from_json(measures)
        seconds, stopped_by = float(content["seconds"]), content.get("stopped_by")
        return RunOutcome(int(content["updates"]), seconds, measures, stopped_by)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return RunOutcome()


def write_outcome(run: Path, outcome: RunOutcome) -> None:
    """Write outcome.json of a run directory; metrics that are not finite become null.

    Raises:
        OSError: the directory cannot be written or the disk is full.
    """
    content: dict[str, Any] = {
        "updates": outcome.updates,
        "seconds": round(outcome.seconds, 3),
        "measures": None if outcome.measures is None else to_json(outcome.measures),
    }
    if outcome.stopped_by is not None:
        content["stopped_by"] = outcome.stopped_by
    atomic_write(run / FILE, json.dumps(content, indent=2) + "\n", durable=True)


@dataclass(frozen=True)
class RunEvaluation:
    """Content of evaluation.json, which `gan-lightning evaluate` writes into a run directory.

    Args:
        updates: updates of the evaluated checkpoint.
        samples: generated samples.
        measures: metrics by name.
        overrides: `key=value` that the evaluation was given.
    """

    updates: int
    samples: int
    measures: Mapping[str, float]
    overrides: tuple[str, ...] = ()


def read_evaluation(run: Path) -> RunEvaluation | None:
    """Read evaluation.json of a run directory; None if the file is missing or damaged."""
    try:
        content = json.loads((run / EVALUATION_FILE).read_text())
        measures, overrides = _from_json(content["measures"]), map(str, content["overrides"])
        return RunEvaluation(
            int(content["updates"]), int(content["samples"]), measures, tuple(overrides)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_evaluation(run: Path, evaluation: RunEvaluation) -> Path:
    """Write evaluation.json of a run directory, and return its path.

    Raises:
        OSError: the directory cannot be written or the disk is full.
    """
    content = {
        "updates": evaluation.updates,
        "samples": evaluation.samples,
        "overrides": evaluation.overrides,
        "measures": to_json(evaluation.measures),
    }
    atomic_write(run / EVALUATION_FILE, json.dumps(content, indent=2) + "\n")
    return run / EVALUATION_FILE


def to_json(measures: Mapping[str, float]) -> dict[str, float | None]:
    """Replace values that are not finite, which JSON does not have, by None."""
    return {name: value if isfinite(value) else None for name, value in measures.items()}


def _from_json(measures: Mapping[str, Any]) -> dict[str, float]:
    return {name: nan if value is None else float(value) for name, value in measures.items()}


def run_lock(run: Path) -> AbstractContextManager[None]:
    """Lock a run directory inside a `with` block, so that one process at a time trains the run.

    Raises:
        UserError: another process trains the run; the message names it.
    """
    return exclusive_lock(run / LOCK, f"run {run} is being trained")


def is_locked(run: Path) -> bool:
    """Return whether a process is training a run."""
    return is_lock_held(run / LOCK)
