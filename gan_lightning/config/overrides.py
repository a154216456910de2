"""The form of an override, `key=value`; light enough for the start of a command."""

from __future__ import annotations

import re

from gan_lightning.errors import UserError

__all__ = ["check_override", "is_override"]

LOOKS_LIKE_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
OVERRIDE = re.compile(r"[A-Za-z_]\w*(\.\w+)*=.*", re.DOTALL)


def is_override(word: str) -> bool:
    """Tell whether a word of a command line is meant as an override, rather than a name or path."""
    return LOOKS_LIKE_OVERRIDE.match(word) is not None


def check_override(word: str) -> None:
    """Check the form of an override.

    Raises:
        UserError: it is not `key=value` with a dotted key.
    """
    if not OVERRIDE.fullmatch(word):
        raise UserError(f"override {word!r} is not key=value, for example trainer.max_updates=2000")
