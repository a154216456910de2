"""The two halves of the corpus: one that the diagnosis is fitted to, one that judges it."""

from __future__ import annotations

from hashlib import sha256

__all__ = ["is_held_out"]


def is_held_out(configuration: str) -> bool:
    """Tell whether runs of a configuration, of all its seeds, judge the diagnosis."""
    return sha256(configuration.encode()).digest()[0] % 2 == 1
