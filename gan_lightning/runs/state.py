"""How far a run has come, what that took, and whether a process is at it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

from gan_lightning.utils.files import atomic_write, exclusive_lock, is_lock_held

__all__ = ["RunOutcome", "is_locked", "read_outcome", "run_lock", "write_outcome"]

FILE = "outcome.json"
LOCK = "owner.lock"


@dataclass(frozen=True)
class RunOutcome:
    """Where a run stood when it last saved.

    Args:
        updates: made in the run's whole life.
        seconds: spent in its whole life, evaluation included.
        measures: of the final model, by name; None before the end.
    """

    updates: int = 0
    seconds: float = 0.0
    measures: Mapping[str, float] | None = None


def read_outcome(folder: Path) -> RunOutcome:
    """Read where a run stood; at its beginning where the file is missing or damaged."""
    try:
        content = json.loads((folder / FILE).read_text())
        measures = content["measures"]
        if measures is not None:
            measures = {k: nan if v is None else float(v) for k, v in measures.items()}
        return RunOutcome(int(content["updates"]), float(content["seconds"]), measures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return RunOutcome()


def write_outcome(folder: Path, state: RunOutcome) -> None:
    """Write where a run stands; a measure that is no number is null.

    Raises:
        OSError: the folder cannot be written or is full.
    """
    measures: dict[str, float | None] | None = None
    if state.measures is not None:
        measures = {k: v if isfinite(v) else None for k, v in state.measures.items()}
    content = {"updates": state.updates, "seconds": round(state.seconds, 3), "measures": measures}
    atomic_write(folder / FILE, json.dumps(content, indent=2) + "\n")


def run_lock(folder: Path) -> AbstractContextManager[None]:
    """Lock a run inside a `with` block, so that one process at a time trains it.

    Raises:
        UserError: another process trains the run; the message names it.
    """
    return exclusive_lock(folder / LOCK, f"run {folder} is being trained")


def is_locked(folder: Path) -> bool:
    """Return whether a process is training a run."""
    return is_lock_held(folder / LOCK)
