"""How far a run has come, what that took, and whether a process is at it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

from gan_lightning.errors import UserError
from gan_lightning.runs.directory import write_whole

__all__ = ["RunState", "run_lock", "is_locked", "read_state", "write_state"]

FILE = "outcome.json"
LOCK = "owner.lock"


@dataclass(frozen=True)
class RunState:
    """Where a run stood when it last saved.

    Args:
        updates: made in the run's whole life.
        seconds: spent in its whole life, evaluation included.
        measures: of the final model, by name; None before the end.
    """

    updates: int = 0
    seconds: float = 0.0
    measures: Mapping[str, float] | None = None


def read_state(folder: Path) -> RunState:
    """Read where a run stood; at its beginning where the file is missing or damaged."""
    try:
        content = json.loads((folder / FILE).read_text())
        measures = content["measures"]
        if measures is not None:
            measures = {k: nan if v is None else float(v) for k, v in measures.items()}
        return RunState(int(content["updates"]), float(content["seconds"]), measures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return RunState()


def write_state(folder: Path, state: RunState) -> None:
    """Write where a run stands; a measure that is no number is null.

    Raises:
        OSError: the folder cannot be written or is full.
    """
    measures: dict[str, float | None] | None = None
    if state.measures is not None:
        measures = {k: v if isfinite(v) else None for k, v in state.measures.items()}
    content = {"updates": state.updates, "seconds": round(state.seconds, 3), "measures": measures}
    write_whole(folder / FILE, json.dumps(content, indent=2) + "\n")


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Keep other processes from going on with a run; the system lets go when this one ends.

    So a lock is never stale; the file says who has it, or had it last.

    Raises:
        UserError: another process is at it.
    """
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"run {folder} is being trained by another process, {file.read() or 'unknown'}; "
                f"wait until it has ended"
            ) from error
        except OSError:
            pass  # a file system without locks
        file.truncate(0)
        file.write(f"{os.getpid()} on {platform.node()}")
        file.flush()
        yield


def is_locked(folder: Path) -> bool:
    """Tell whether a process is training a run."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # never begun, or a file system without locks
    return False
