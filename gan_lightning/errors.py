"""What a person is told: errors that they can mend, in one line, and warnings."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "Diverged",
    "ProcessLost",
    "UserError",
    "check_choice",
    "nearest_first",
    "storage_error",
    "storage_fix",
    "warn",
]

STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO)


class UserError(Exception):
    """A user's mistake; the message names the wrong value, the valid ones and the fix."""


class Diverged(Exception):  # noqa: N818 - what a run did, no fault of the program
    """A run's loss or weights are not finite; the message says since when, and what to try."""


class ProcessLost(Exception):  # noqa: N818 - what happened to another process
    """Another process of the run has ended, which has said why if it could."""


def nearest_first(wrong: str, valid: Iterable[str]) -> str:
    """List the valid names, those closest to the wrong one first."""
    names = sorted(valid)
    close = get_close_matches(wrong, names, n=len(names), cutoff=0.6)
    return ", ".join([*close, *(name for name in names if name not in close)])


def check_choice(key: str, word: str, valid: Iterable[str]) -> None:
    """Check a word that chooses among names.

    Raises:
        ValueError: it is none of them; the message lists them, the nearest first.
    """
    names = list(valid)
    if word not in names:
        raise ValueError(f"{key} is {word!r}; valid are {nearest_first(word, names)}")


def storage_error(error: BaseException | None) -> OSError | None:
    """Find, among an error and what led to it, a disk that is full or not to be written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
            return error
        error = error.__cause__ or error.__context__
    return None


def storage_fix(cause: OSError) -> str:
    """Say in three words what mends what `storage_error` found."""
    full = cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "make room there" if full else "make it writable"


def warn(line: str) -> None:
    """Tell a person at once, above the progress bar, and the run's log."""
    from tqdm import tqdm

    logging.getLogger("gan_lightning").warning(line)
    tqdm.write(f"gan-lightning: {line}", file=sys.stderr)
