"""Command lines that messages print."""

from __future__ import annotations

import shlex

__all__ = ["command_line"]


def command_line(*words: object) -> str:
    """Return a command line that a shell reads back: words with spaces or quotes are quoted."""
    return shlex.join(map(str, words))
