"""Errors that a person can mend: one line, exit code 2, no traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["UserError", "check_word", "nearest_first"]


class UserError(Exception):
    """A user's mistake; the message names the wrong value, the valid ones and the fix."""


def nearest_first(wrong: str, valid: Iterable[str]) -> str:
    """List the valid names, those closest to the wrong one first."""
    names = sorted(valid)
    close = get_close_matches(wrong, names, n=len(names), cutoff=0.6)
    return ", ".join([*close, *(name for name in names if name not in close)])


def check_word(key: str, word: str, valid: Iterable[str]) -> None:
    """Check a word that chooses among names.

    Raises:
        ValueError: it is none of them; the message lists them, the nearest first.
    """
    names = list(valid)
    if word not in names:
        raise ValueError(f"{key} is {word!r}; valid are {nearest_first(word, names)}")
