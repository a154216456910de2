"""Shorten the start of a command, most of which is the import of torch and Lightning."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["gc_paused_imports"]


@contextmanager
def gc_paused_imports() -> Iterator[None]:
    """Pause garbage collection inside the block, and exempt the imported objects from it for good.

    The imports create about a million objects that live as long as the process. Collections would
    take a fifth of the import time, and another second when the process exits.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
