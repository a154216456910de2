"""A command's first seconds, nearly all of which are spent importing torch and Lightning."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["gc_paused_imports"]


@contextmanager
def gc_paused_imports() -> Iterator[None]:
    """Keep the garbage collector away from what is imported inside the block, for good.

    Torch and Lightning make a million objects that live as long as the process. Looking through
    them again and again takes a fifth of the time of their imports, and a second at the end.
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
