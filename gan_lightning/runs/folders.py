"""New folders of runs: their names, and the space that they need."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from gan_lightning.errors import UserError

__all__ = ["check_free_space", "new_folder", "new_timed_folder", "start_time"]

TIME_FORMAT = "%Y-%m-%d_%H-%M-%S"
"""Name of a run directory that the user has not named."""

TIME_LENGTH = len("2026-11-23_10-00-00")

MIN_FREE_BYTES = 2**20
"""Free space that a new run needs; any run writes more."""


def new_folder(path: Path) -> Path:
    """Make a folder, and return it.

    Raises:
        UserError: it is not empty.
    """
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"{path} is not empty; choose a new folder by --output DIR")
    path.mkdir(parents=True, exist_ok=True)
    return path


def new_timed_folder(parent: Path) -> Path:
    """Make a folder with the name of the time, and a number where that exists.

    Raises:
        UserError: too many exist.
    """
    stem = datetime.now().strftime(TIME_FORMAT)
    parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 1000):
        path = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise UserError(f"cannot make a new folder in {parent}; choose one by --output DIR")


def check_free_space(directory: Path) -> None:
    """Write and delete a file of `MIN_FREE_BYTES`; on an error delete the directory, too."""
    probe = directory / ".probe"
    try:
        probe.write_bytes(bytes(MIN_FREE_BYTES))
        probe.unlink()
    except OSError:
        probe.unlink(missing_ok=True)
        directory.rmdir()
        raise


def start_time(config: Path) -> tuple[float, int, str]:
    """Return the key by which runs are sorted: time, and number and name for runs of one second."""
    name = config.parent.name
    try:
        start = datetime.strptime(name[:TIME_LENGTH], TIME_FORMAT).timestamp()
    except ValueError:
        start = config.stat().st_mtime
    number = re.search(r"-(\d+)$", name[TIME_LENGTH:])
    return start, int(number[1]) if number else 0, name
