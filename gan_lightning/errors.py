"""Errors that the user can fix, reported in one line, and warnings."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

__all__ = [
    "Diverged",
    "MissingDataError",
    "ProcessLost",
    "UserError",
    "check_choice",
    "is_out_of_memory",
    "nearest_first",
    "storage_error",
    "storage_fix",
    "summary",
    "warn",
    "warn_once",
]

# without a handler, Python would print what `warn` logs a second time
logging.getLogger("gan_lightning").addHandler(logging.NullHandler())

STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO)


class UserError(Exception):
    """An error that the user can fix; the message names the wrong value, valid ones and the fix."""


class MissingDataError(UserError):
    """The place that the config names has no data; the message names it."""


class Diverged(Exception):  # noqa: N818 - a result of training, not a fault of the program
    """Losses or weights are not finite; the message names the update and possible remedies."""


class ProcessLost(Exception):  # noqa: N818 - the fault is in another process
    """Another process of the same run has ended; it has printed the reason if it could."""


def nearest_first(wrong: str, valid: Iterable[str]) -> str:
    """Return the valid names separated by commas, those similar to the wrong name first."""
    names = sorted(valid)
    close = get_close_matches(wrong, names, n=len(names), cutoff=0.6)
    return ", ".join([*close, *(name for name in names if name not in close)])


def check_choice(key: str, name: str, valid: Iterable[str]) -> None:
    """Check that a name is one of the valid names.

    Args:
        key: what the name selects, for the message.
        name: name to check.
        valid: valid names.

    Raises:
        ValueError: the name is not valid; the message lists the valid ones, nearest first.
    """
    names = list(valid)
    if name not in names:
        raise ValueError(f"{key} is {name!r}; valid are {nearest_first(name, names)}")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether Python or PyTorch's CPU allocator cannot get as much memory as it asks for.

    PyTorch counts the bytes of a tensor first, and says so where 64 bits do not hold their number.
    """
    message = str(error)
    too_much = ("can't allocate memory", "Storage size calculation overflowed")
    return isinstance(error, MemoryError) or any(text in message for text in too_much)


def storage_error(error: BaseException | None) -> OSError | None:
    """Return the error about a full or read-only disk among an error and its causes, or None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
            return error
        error = error.__cause__ or error.__context__
    return None


def storage_fix(cause: OSError) -> str:
    """Return the fix for an error that `storage_error` has found."""
    full = cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "free disk space" if full else "make it writable"


def summary(error: BaseException) -> str:
    """Return the kind of an error and its message in one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def warn(line: str) -> None:
    """Print a warning above the progress bar, and write it to the log of the run."""
    from tqdm import tqdm

    logging.getLogger("gan_lightning").warning(line)
    tqdm.write(f"gan-lightning: {line}", file=sys.stderr)


@cache
def warn_once(line: str) -> None:
    """Print a warning as `warn` does, but only the first time in this process."""
    warn(line)
